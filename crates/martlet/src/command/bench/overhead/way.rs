//! The transports that are compared, and what each asks for.

use crate::command::bench::dialect::{Who, martlet};
use crate::command::bench::door::Door;

/// A transport, and how it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    WebSocket,
    Sse,
    PlainSse,
    Stream,
    PlainStream,
    ForeverFrame,
    Multipart,
    LongPoll,
    PlainLongPoll,
    Jsonp,
    ShortPoll,
}

/// How a client goes on after what it has asked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The connection is a WebSocket from then on.
    Messages,
    /// The answer does not end.
    Stream,
    /// Each answer is followed by the next request.
    Polls,
}

impl Way {
    pub const ALL: [Self; 11] = [
        Self::WebSocket,
        Self::Sse,
        Self::PlainSse,
        Self::Stream,
        Self::PlainStream,
        Self::ForeverFrame,
        Self::Multipart,
        Self::LongPoll,
        Self::PlainLongPoll,
        Self::Jsonp,
        Self::ShortPoll,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "WebSocket",
            Self::Sse => "SSE",
            Self::PlainSse => "SSE, plain",
            Self::Stream => "stream",
            Self::PlainStream => "stream, plain",
            Self::ForeverFrame => "forever frame",
            Self::Multipart => "multipart",
            Self::LongPoll => "long poll",
            Self::PlainLongPoll => "long poll, plain",
            Self::Jsonp => "JSONP",
            Self::ShortPoll => "short poll, plain",
        }
    }

    pub fn course(self) -> Course {
        match self {
            Self::WebSocket => Course::Messages,
            Self::LongPoll | Self::PlainLongPoll | Self::Jsonp | Self::ShortPoll => Course::Polls,
            _ => Course::Stream,
        }
    }

    /// The first request: its address, and its body if it is a `POST`.
    pub fn first(self, door: &Door, channel: usize) -> (String, Option<Vec<u8>>) {
        let connect = || Some(martlet::connect(Who { door, channel: Some(channel) }));
        let plain = |path: &str| {
            (format!("/v1/{path}channel={}{}", door.channel(channel), door.token_query()), None)
        };
        const NATIVE: &str = "protocol=martlet.v1.json";
        match self {
            Self::WebSocket => ("/v1/ws".into(), None),
            Self::Sse => (format!("/v1/sse?{NATIVE}"), connect()),
            Self::Stream => (format!("/v1/stream?{NATIVE}&limit=0"), connect()),
            Self::LongPoll => (format!("/v1/poll?{NATIVE}"), connect()),
            Self::PlainSse => plain("sse?"),
            Self::PlainStream => plain("stream?limit=0&"),
            Self::ForeverFrame => plain("htmlfile?callback=m&limit=0&"),
            Self::Multipart => plain("multipart?"),
            Self::PlainLongPoll => plain("poll?"),
            Self::Jsonp => plain("jsonp?callback=m&"),
            Self::ShortPoll => plain("poll?wait=0&"),
        }
    }
}
