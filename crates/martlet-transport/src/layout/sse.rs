//! Server-sent events: the lines of a stream that browsers read by `EventSource`.
//!
//! A payload may hold line breaks of every kind and is split at each; an `id` or `event` that
//! holds one is refused, for it would let a publisher forge fields.

use http::header::{self, HeaderMap, HeaderValue};
use thiserror::Error;

use super::{Begin, Event, Layout};

/// A name or id that holds a line break or NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {0} of an event holds a line break or NUL")]
pub struct BadField(pub &'static str);

/// Server-sent events.
pub struct Sse;

impl Layout for Sse {
    fn headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    }

    fn begin(&self, begin: &Begin, out: &mut Vec<u8>) {
        if begin.padding > 0 {
            write_comment(out, &" ".repeat(begin.padding));
        }
        if let Some(retry) = begin.retry_ms {
            write_retry(out, retry);
            write_comment(out, "martlet");
        }
    }

    fn message(&self, json: &[u8], out: &mut Vec<u8>) {
        write_data(out, json);
        out.push(b'\n');
    }

    fn event(&self, event: &Event<'_>, open: bool, out: &mut Vec<u8>) {
        if let Some(retry) = event.retry_ms {
            write_retry(out, retry);
        }
        let name = event.name.or_else(|| (event.kind != "publication").then_some(event.kind));
        let begin = out.len();
        if write_event(out, event.cursor, name, Some(event.data)).is_err() {
            // Names are checked when they are published, so this one came another way.
            out.truncate(begin);
            let _ = write_event(out, event.cursor, None, Some(event.data));
        }
        if open {
            out.pop();
        }
    }

    fn close_event(&self, cursor: &str, out: &mut Vec<u8>) {
        self.place(cursor, out);
    }

    fn place(&self, cursor: &str, out: &mut Vec<u8>) {
        write_line(out, b"id: ", cursor.as_bytes());
        out.push(b'\n');
    }

    fn heartbeat(&self, out: &mut Vec<u8>) {
        write_comment(out, "");
    }
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
