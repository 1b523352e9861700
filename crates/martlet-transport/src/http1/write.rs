//! Writing answers.

use http::header::{self, HeaderMap, HeaderValue};
use http::{StatusCode, Version};

use super::phrase;

/// Writes the head of an answer: status line, fields, blank line. Field names and values are
/// of the types that cannot hold a line break.
pub fn write_head(out: &mut Vec<u8>, version: Version, status: StatusCode, headers: &HeaderMap) {
    out.extend_from_slice(match version {
        Version::HTTP_10 => b"HTTP/1.0 ".as_slice(),
        _ => b"HTTP/1.1 ",
    });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a whole answer with a JSON body, after which the connection is closed. `extra` brings
/// whatever fields the case asks for.
pub fn write_answer(
    out: &mut Vec<u8>,
    version: Version,
    status: StatusCode,
    extra: HeaderMap,
    json: &[u8],
) {
    let mut headers = extra;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::DATE, super::date());
    write_head(out, version, status, &headers);
    out.extend_from_slice(json);
}

/// Writes a whole answer with whatever body, after which the connection goes on if `keep_alive`.
pub fn write_whole(
    out: &mut Vec<u8>,
    version: Version,
    status: StatusCode,
    headers: HeaderMap,
    body: &[u8],
    keep_alive: bool,
) {
    let mut headers = headers;
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let connection = match (keep_alive, version) {
        (false, _) => Some("close"),
        (true, Version::HTTP_10) => Some("keep-alive"),
        (true, _) => None,
    };
    if let Some(connection) = connection {
        headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
    }
    headers.insert(header::DATE, super::date());
    write_head(out, version, status, &headers);
    out.extend_from_slice(body);
}
