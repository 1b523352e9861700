//! The ways in which a client can follow channels. What is promised is promised on each.

/// A way to follow channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// WebSocket, `martlet.v1.json`.
    SocketJson,
    /// WebSocket, `martlet.v1.proto`.
    SocketProto,
    /// WebSocket, `martlet.v1.json`, messages deflated.
    SocketDeflated,
    /// WebSocket as a stream of HTTP/2.
    SocketHttp2,
    /// SSE of the native protocol over HTTP/1.1.
    Stream,
    /// The same over HTTP/2.
    StreamHttp2,
    /// Plain SSE of one channel.
    PlainOne,
    /// Plain SSE of several channels.
    Plain,
    /// The same over HTTP/2.
    PlainHttp2,
    /// Lines of the native protocol.
    Lines,
    /// Plain lines of several channels, over HTTP/2.
    PlainLines,
    /// A forever frame of the native protocol.
    Html,
    /// A plain forever frame of several channels.
    PlainHtml,
    /// Parts, which are always plain.
    Parts,
    /// Polls of one session.
    Polls,
    /// Polls of one session, as scripts.
    Scripts,
    /// Polls that know only their channels and their cursor.
    PlainPolls,
}

impl Route {
    pub const ALL: [Self; 17] = [
        Self::SocketJson,
        Self::SocketProto,
        Self::SocketDeflated,
        Self::SocketHttp2,
        Self::Stream,
        Self::StreamHttp2,
        Self::PlainOne,
        Self::Plain,
        Self::PlainHttp2,
        Self::Lines,
        Self::PlainLines,
        Self::Html,
        Self::PlainHtml,
        Self::Parts,
        Self::Polls,
        Self::Scripts,
        Self::PlainPolls,
    ];

    /// Whether it speaks the native protocol.
    pub fn native(self) -> bool {
        !matches!(
            self,
            Self::PlainOne
                | Self::Plain
                | Self::PlainHttp2
                | Self::PlainLines
                | Self::PlainHtml
                | Self::Parts
                | Self::PlainPolls
        )
    }

    /// Whether it is WebSocket.
    pub fn socket(self) -> bool {
        matches!(
            self,
            Self::SocketJson | Self::SocketProto | Self::SocketDeflated | Self::SocketHttp2
        )
    }

    /// Whether it goes over HTTP/2.
    pub fn http2(self) -> bool {
        matches!(self, Self::StreamHttp2 | Self::PlainHttp2 | Self::PlainLines | Self::SocketHttp2)
    }

    /// Whether it is answered in batches, so that no connection is ever full.
    pub fn polls(self) -> bool {
        matches!(self, Self::Polls | Self::Scripts | Self::PlainPolls)
    }

    /// Whether the server knows of it only while it is asked: it never falls behind, it comes back.
    pub fn forgotten(self) -> bool {
        self == Self::PlainPolls
    }

    /// Those of some channels that this way follows at once.
    pub fn of(self, channels: &[String]) -> &[String] {
        if self == Self::PlainOne { &channels[..1] } else { channels }
    }
}
