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
}

impl Route {
    pub const ALL: [Self; 8] = [
        Self::SocketJson,
        Self::SocketProto,
        Self::SocketDeflated,
        Self::Stream,
        Self::StreamHttp2,
        Self::PlainOne,
        Self::Plain,
        Self::PlainHttp2,
    ];

    /// Whether it speaks the native protocol.
    pub fn native(self) -> bool {
        !matches!(self, Self::PlainOne | Self::Plain | Self::PlainHttp2)
    }

    /// Whether it is WebSocket.
    pub fn socket(self) -> bool {
        matches!(self, Self::SocketJson | Self::SocketProto | Self::SocketDeflated)
    }

    /// Whether it goes over HTTP/2.
    pub fn http2(self) -> bool {
        matches!(self, Self::StreamHttp2 | Self::PlainHttp2)
    }

    /// Those of some channels that this way follows at once.
    pub fn of(self, channels: &[String]) -> &[String] {
        if self == Self::PlainOne { &channels[..1] } else { channels }
    }
}
