//! Parts of a multipart answer: each event is a body of its own type with fields of its own, for
//! cameras (`multipart/x-mixed-replace` in an image of a page) and old tools (`multipart/mixed`).
//!
//! The boundary *ends* each part and is written with it, so that a reader has the whole part at
//! once (as nchan does). A part names its own channel's position; a reader of several channels
//! comes back with what it has of each, joined by `~`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderValue};

use super::{Begin, Event, Layout};

/// Parts, of which a browser shows each in place of the one before if they are `replace`d.
pub struct Multipart {
    /// Whether each part takes the place of the one before.
    pub replace: bool,
    boundary: String,
}

impl Multipart {
    /// Parts that end with a boundary made of random bits, so that nobody can have published it.
    pub fn new(replace: bool, bits: u64) -> Self {
        Self { replace, boundary: format!("martlet-{bits:016x}") }
    }

    fn write_boundary(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"--");
        out.extend_from_slice(self.boundary.as_bytes());
    }

    /// Whether data would end its part by itself. Who follows a channel knows the boundary, and
    /// may publish it.
    fn occurs_in(&self, data: &[u8]) -> bool {
        let boundary = self.boundary.as_bytes();
        data.windows(boundary.len()).any(|window| window == boundary)
    }

    fn write_part(&self, fields: &[(&str, &str)], data: &[u8], out: &mut Vec<u8>) {
        let encoded = self.occurs_in(data).then(|| STANDARD.encode(data));
        let body = encoded.as_ref().map_or(data, String::as_bytes);
        out.extend_from_slice(b"\r\n");
        for (name, value) in fields {
            write_field(name, value, out);
        }
        if encoded.is_some() {
            write_field("Content-Transfer-Encoding", "base64", out);
        }
        write_field("Content-Length", &body.len().to_string(), out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
        self.write_boundary(out);
    }
}

impl Layout for Multipart {
    fn headers(&self, headers: &mut HeaderMap) {
        let subtype = if self.replace { "x-mixed-replace" } else { "mixed" };
        let value = format!("multipart/{subtype}; boundary={}", self.boundary);
        let value = HeaderValue::try_from(value).expect("a boundary is made of plain letters");
        headers.insert(header::CONTENT_TYPE, value);
    }

    fn begin(&self, _: &Begin, out: &mut Vec<u8>) {
        self.write_boundary(out);
    }

    fn message(&self, json: &[u8], out: &mut Vec<u8>) {
        self.write_part(&[("Content-Type", "application/json")], json, out);
    }

    fn event(&self, event: &Event<'_>, _: bool, out: &mut Vec<u8>) {
        let content_type = event.content_type.unwrap_or("application/json");
        let mut fields = vec![("Content-Type", content_type)];
        fields.extend(event.cursor.map(|cursor| ("Martlet-Cursor", cursor)));
        if event.kind != "publication" {
            fields.push(("Martlet-Event", event.kind));
        } else {
            fields.extend(event.name.map(|name| ("Martlet-Name", name)));
        }
        self.write_part(&fields, event.data, out);
    }

    fn close_event(&self, _: &str, _: &mut Vec<u8>) {}

    /// An image that is replaced by nothing would be gone, so only other readers are told.
    fn place(&self, cursor: &str, out: &mut Vec<u8>) {
        if !self.replace {
            self.write_part(&[("Martlet-Cursor", cursor)], b"", out);
        }
    }

    /// Blanks may follow a boundary, and mean nothing.
    fn heartbeat(&self, out: &mut Vec<u8>) {
        out.push(b' ');
    }

    fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"--\r\n");
    }

    fn ends_with_cursor(&self) -> bool {
        false
    }
}

/// Field values come from names and types that were checked when they were published; whatever a
/// field cannot hold is left out all the same.
fn write_field(name: &str, value: &str, out: &mut Vec<u8>) {
    if value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
