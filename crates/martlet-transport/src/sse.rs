//! Server-sent events: the head of the answer and the lines of the stream.
//!
//! A payload may hold line breaks of every kind and is split at each; an `id` or `event` that
//! holds one is refused, for it would let a publisher forge fields.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Version};
use thiserror::Error;

use crate::framing::Framing;
use crate::http1::{self, write_head};

/// A name or id that holds a line break or NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {0} of an event holds a line break or NUL")]
pub struct BadField(pub &'static str);

/// The fields of the answer that begins a stream. `cors` comes from [`crate::cors::Cors`].
pub fn headers(cors: HeaderMap) -> HeaderMap {
    let mut headers = cors;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // `no-transform` keeps proxies from compressing, and so from holding back.
    let caching = HeaderValue::from_static("no-store, no-transform");
    headers.insert(header::CACHE_CONTROL, caching);
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
}

/// Writes the head of the answer on HTTP/1. Returns how the body after it is framed: in chunks,
/// or for HTTP/1.0 as it is, to the end of the connection.
pub fn write_response_head(out: &mut Vec<u8>, version: Version, cors: HeaderMap) -> Framing {
    let mut headers = headers(cors);
    headers.insert(header::DATE, http1::date());
    let framing = if version == Version::HTTP_10 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        Framing::Raw
    } else {
        let chunked = HeaderValue::from_static("chunked");
        headers.insert(header::TRANSFER_ENCODING, chunked);
        Framing::Chunked
    };
    write_head(out, version, StatusCode::OK, &headers);
    framing
}

/// Writes one event. Without `data` it only sets the client's last id.
pub fn write_event(
    out: &mut Vec<u8>,
    id: Option<&str>,
    event: Option<&str>,
    data: Option<&[u8]>,
) -> Result<(), BadField> {
    check(id, "id")?;
    check(event, "name")?;
    if let Some(event) = event {
        write_line(out, b"event: ", event.as_bytes());
    }
    if let Some(id) = id {
        write_line(out, b"id: ", id.as_bytes());
    }
    if let Some(data) = data {
        write_data(out, data);
    }
    out.push(b'\n');
    Ok(())
}

/// Writes the `data:` lines of a payload, one for each of its own lines.
pub fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    let mut rest = data;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        write_line(out, b"data: ", &rest[..at]);
        let both = rest[at..].starts_with(b"\r\n");
        rest = &rest[at + 1 + usize::from(both)..];
    }
    write_line(out, b"data: ", rest);
}

/// Writes an `id:` line alone, which belongs to whatever event is completed next.
pub fn write_id(out: &mut Vec<u8>, id: &str) -> Result<(), BadField> {
    check(Some(id), "id")?;
    write_line(out, b"id: ", id.as_bytes());
    Ok(())
}

/// Writes a comment, which clients skip: a sign of life. A line break in it becomes a blank.
pub fn write_comment(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b": ");
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(b"\n\n");
}

/// Writes how many milliseconds the client is to wait before it comes back.
pub fn write_retry(out: &mut Vec<u8>, milliseconds: u64) {
    write_line(out, b"retry: ", milliseconds.to_string().as_bytes());
}

fn check(field: Option<&str>, name: &'static str) -> Result<(), BadField> {
    let bad = field.is_some_and(|text| text.contains(['\r', '\n', '\0']));
    if bad { Err(BadField(name)) } else { Ok(()) }
}

fn write_line(out: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    out.reserve(field.len() + value.len() + 1);
    out.extend_from_slice(field);
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
