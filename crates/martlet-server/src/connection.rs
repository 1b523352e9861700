//! Client transports: what answers at each address, one file for each kind. Each is a task that
//! reads; writing is the sweep's.

use http::header::{self, HeaderMap, HeaderValue};
use martlet_core::model::{Code, Refusal};
use martlet_transport::http1::Head;
use martlet_transport::websocket::handshake;

pub mod jsonp;
pub mod listener;
pub mod poll;
pub mod stream;
pub mod websocket;

use stream::OneWay;

use crate::api;

/// What answers at an address of its own, before the HTTP API is asked.
#[derive(Clone, Copy)]
pub enum Door {
    /// Messages both ways.
    WebSocket,
    /// A response that does not end.
    Stream(&'static OneWay),
    /// A response with what there is.
    Poll,
    /// The same as a script.
    Jsonp,
}

impl Door {
    /// The door at this address.
    pub fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/ws" => Self::WebSocket,
            "/v1/sse" => Self::Stream(&stream::SSE),
            "/v1/stream" => Self::Stream(&stream::LINES),
            "/v1/htmlfile" => Self::Stream(&stream::HTML),
            "/v1/multipart" => Self::Stream(&stream::MULTIPART),
            "/v1/poll" => Self::Poll,
            "/v1/jsonp" => Self::Jsonp,
            _ => return None,
        })
    }

    /// The fields that a refusal needs beside its body.
    pub fn refusal_headers(self, refusal: &Refusal) -> HeaderMap {
        let mut headers = match self {
            Self::WebSocket => handshake::refusal_headers(refusal),
            _ => HeaderMap::new(),
        };
        if let Some(after) = refusal.after {
            headers.insert(header::RETRY_AFTER, api::whole_seconds(after));
        }
        if refusal.code == Code::MethodNotAllowed {
            headers.insert(header::ALLOW, HeaderValue::from_static(self.methods()));
        }
        headers
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Poll => "GET, POST",
            Self::Stream(one_way) if one_way.native => "GET, POST",
            Self::WebSocket | Self::Stream(_) | Self::Jsonp => "GET",
        }
    }

    /// Whether a page can put the answer into itself without asking for permission, and so has to
    /// say in another way which page it is.
    pub fn embeds(self) -> bool {
        match self {
            Self::Jsonp => true,
            Self::Stream(one_way) => one_way.embeds,
            Self::WebSocket | Self::Poll => false,
        }
    }
}

/// A query parameter by its name; the first of several, and none if it is empty.
fn parameter(head: &Head, name: &str) -> Option<String> {
    let found = head.pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
}
