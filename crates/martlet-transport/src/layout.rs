//! How events are laid out in a response that stays open: the seam behind which each one-way
//! transport is one small file.
//!
//! A layout turns what is told into bytes and decides nothing. Most of its bytes are shared by all
//! readers of a channel, so they hold nothing of one connection, except what `begin` writes. How a
//! response ends, and how its bytes are cut into chunks, is HTTP's business and not a layout's.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Version};

use crate::framing::Framing;
use crate::http1::{self, write_head};

mod callback;
mod html;
mod lines;
mod multipart;
pub mod sse;

pub use callback::{BadCallback, Callback, write_script_json};
pub use html::Html;
pub use lines::{Items, Lines};
pub use multipart::Multipart;
pub use sse::Sse;

/// The most bytes of filler that a client may ask for at the beginning, for proxies and browsers
/// that hold back the first bytes of an answer (peers ask for 2 KiB, Android's browser for 4).
pub const PADDING_MAX: usize = 8 * 1024;

/// What a response begins with, for one connection.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// How many bytes of filler to send first; at most [`PADDING_MAX`].
    pub padding: usize,
    /// The function of the page that is called, where the layout calls one.
    pub callback: Option<Callback>,
    /// How long the client is to wait before it comes back, where the layout can say so.
    pub retry_ms: Option<u64>,
}

/// One plain event. Nothing in it but the data may hold a line break.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// What it is: `publication`, `gap`, `lagged`, `error` or `close`.
    pub kind: &'a str,
    /// The cursor to come back with after it.
    pub cursor: Option<&'a str>,
    /// Its name, where the data goes alone.
    pub name: Option<&'a str>,
    /// The data: JSON, or bytes of `content_type`.
    pub data: &'a [u8],
    /// What the data is, if it is not JSON.
    pub content_type: Option<&'a str>,
    /// How long the client is to wait before it comes back.
    pub retry_ms: Option<u64>,
}

/// A way to lay out events.
pub trait Layout: Sync {
    /// Sets the `Content-Type` and whatever else is this layout's own.
    fn headers(&self, headers: &mut HeaderMap);

    /// Writes the first bytes of a connection, which may be none.
    fn begin(&self, begin: &Begin, out: &mut Vec<u8>);

    /// Writes a message of the native protocol: one JSON object.
    fn message(&self, json: &[u8], out: &mut Vec<u8>);

    /// Writes a plain event. One that is left `open` is ended by [`Layout::close_event`].
    fn event(&self, event: &Event<'_>, open: bool, out: &mut Vec<u8>);

    /// Ends an open event with the reader's cursor.
    fn close_event(&self, cursor: &str, out: &mut Vec<u8>);

    /// Tells a reader's cursor by itself.
    fn place(&self, cursor: &str, out: &mut Vec<u8>);

    /// Writes a sign of life.
    fn heartbeat(&self, out: &mut Vec<u8>);

    /// Writes what completes the response.
    fn end(&self, _out: &mut Vec<u8>) {}

    /// Whether a reader of several channels needs its whole cursor after each event.
    fn ends_with_cursor(&self) -> bool {
        true
    }
}

/// The fields of an answer that is never kept, held back or taken for something else.
/// `no-transform` keeps proxies from compressing, and so from holding back; the last field asks
/// nginx not to buffer.
pub fn live_headers(headers: &mut HeaderMap) {
    const FIELDS: [(HeaderName, &str); 3] = [
        (header::CACHE_CONTROL, "no-store, no-cache, no-transform, must-revalidate, max-age=0"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    headers.extend(FIELDS.map(|(name, value)| (name, HeaderValue::from_static(value))));
}

/// The fields of the answer that begins a stream. `cors` comes from [`crate::cors::Cors`].
pub fn stream_headers(layout: &dyn Layout, cors: HeaderMap) -> HeaderMap {
    let mut headers = cors;
    live_headers(&mut headers);
    layout.headers(&mut headers);
    headers
}

/// Writes the head of the answer on HTTP/1. Returns how the body after it is framed: in chunks,
/// or for HTTP/1.0 as it is, to the end of the connection.
pub fn write_stream_head(
    layout: &dyn Layout,
    version: Version,
    cors: HeaderMap,
    out: &mut Vec<u8>,
) -> Framing {
    let mut headers = stream_headers(layout, cors);
    headers.insert(header::DATE, http1::date());
    let framing = stream_framing(version);
    // Nobody is to ask anything else on a connection that ends with its stream.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if framing == Framing::Chunked {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    write_head(out, version, StatusCode::OK, &headers);
    framing
}

/// How the body of a stream is framed for a client of this version of HTTP.
pub fn stream_framing(version: Version) -> Framing {
    if version == Version::HTTP_11 { Framing::Chunked } else { Framing::Raw }
}

#[cfg(test)]
mod tests;
