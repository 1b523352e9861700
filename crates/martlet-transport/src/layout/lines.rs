//! One JSON object a line: the stream that scripts and `XMLHttpRequest` read, and what a poll is
//! answered with.

use http::header::{self, HeaderMap, HeaderValue};

use super::{Begin, Event, Layout};

/// Lines that carry the cursor to come back with. A blank line is a sign of life.
pub struct Lines;

/// Lines without a cursor, for answers that name it once at their end.
pub struct Items;

impl Layout for Lines {
    fn headers(&self, headers: &mut HeaderMap) {
        line_headers(headers);
    }

    fn begin(&self, begin: &Begin, out: &mut Vec<u8>) {
        if begin.padding > 0 {
            out.resize(out.len() + begin.padding, b' ');
            out.push(b'\n');
        }
    }

    fn message(&self, json: &[u8], out: &mut Vec<u8>) {
        write_on_one_line(json, out);
        out.push(b'\n');
    }

    fn event(&self, event: &Event<'_>, open: bool, out: &mut Vec<u8>) {
        write_open_object(event, out);
        match event.cursor {
            Some(cursor) if !open => self.close_event(cursor, out),
            _ if !open => out.extend_from_slice(b"}\n"),
            _ => {}
        }
    }

    fn close_event(&self, cursor: &str, out: &mut Vec<u8>) {
        out.push(b',');
        write_cursor(cursor, out);
        out.extend_from_slice(b"}\n");
    }

    fn place(&self, cursor: &str, out: &mut Vec<u8>) {
        out.push(b'{');
        write_cursor(cursor, out);
        out.extend_from_slice(b"}\n");
    }

    fn heartbeat(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
    }
}

impl Layout for Items {
    fn headers(&self, headers: &mut HeaderMap) {
        line_headers(headers);
    }

    fn begin(&self, _: &Begin, _: &mut Vec<u8>) {}

    fn message(&self, json: &[u8], out: &mut Vec<u8>) {
        Lines.message(json, out);
    }

    fn event(&self, event: &Event<'_>, _: bool, out: &mut Vec<u8>) {
        Lines.event(&Event { cursor: None, ..*event }, false, out);
    }

    fn close_event(&self, _: &str, _: &mut Vec<u8>) {}

    fn place(&self, _: &str, _: &mut Vec<u8>) {}

    fn heartbeat(&self, _: &mut Vec<u8>) {}

    fn ends_with_cursor(&self) -> bool {
        false
    }
}

fn line_headers(headers: &mut HeaderMap) {
    let lines = HeaderValue::from_static("application/x-ndjson; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, lines);
}

/// Writes `{"kind":data` without what ends it. The data of every kind is JSON here.
pub(super) fn write_open_object(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(event.kind.as_bytes());
    out.extend_from_slice(b"\":");
    write_on_one_line(event.data, out);
}

/// Writes `"cursor":"…"`. Nothing in a cursor needs an escape.
pub(super) fn write_cursor(cursor: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"cursor\":\"");
    out.extend_from_slice(cursor.as_bytes());
    out.push(b'"');
}

/// JSON may be written over several lines by its publisher. A line break can only stand between
/// its parts, where a blank means the same.
pub(super) fn write_on_one_line(json: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(json);
    let broken = |byte: &&mut u8| matches!(**byte, b'\n' | b'\r');
    out[begin..].iter_mut().filter(broken).for_each(|byte| *byte = b' ');
}
