//! Writes JSON objects straight into a buffer: no tree, no intermediate text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use martlet_core::model::{ClientId, Epoch, PublicationId};

/// An object being written. It ends with [`Object::end`].
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Closes it.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// Writes the key of a field and hands out the buffer for its value.
    pub(crate) fn field(&mut self, key: &'static str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A field that is an object, to be ended by itself.
    pub(crate) fn object(&mut self, key: &'static str) -> Object<'_> {
        Object::new(self.field(key))
    }

    /// A field of text.
    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        text(self.field(key), value);
    }

    /// A field of text, unless there is none.
    pub(crate) fn maybe_text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A field that is a whole number.
    pub(crate) fn number(&mut self, key: &'static str, value: u64) {
        let out = self.field(key);
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A field that is a whole number, unless there is none.
    pub(crate) fn maybe_number(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// A field that is true or false.
    pub(crate) fn flag(&mut self, key: &'static str, value: bool) {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.field(key).extend_from_slice(word);
    }

    /// A field whose value is JSON text already.
    pub(crate) fn raw(&mut self, key: &'static str, json: &[u8]) {
        self.field(key).extend_from_slice(json);
    }

    /// A field of bytes, as base64.
    pub(crate) fn base64(&mut self, key: &'static str, bytes: &[u8]) {
        let out = self.field(key);
        out.push(b'"');
        base64(out, bytes);
        out.push(b'"');
    }

    /// A publication's id.
    pub(crate) fn id(&mut self, id: PublicationId) {
        base32(self.field("id"), id.bits(), 26);
    }

    /// A client's id.
    pub(crate) fn client(&mut self, client: ClientId) {
        base32(self.field("client"), client.bits().into(), 13);
    }

    /// An epoch.
    pub(crate) fn epoch(&mut self, epoch: Epoch) {
        base32(self.field("epoch"), epoch.bits().into(), 8);
    }
}

/// Writes a list: `each` writes one item.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}

/// Writes `value` in quotes. Besides what JSON asks for, line separators and angle brackets are
/// escaped, so that the result is also safe inside a script, where some transports put it.
pub(crate) fn text(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut done = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        let plain = byte >= 0x20 && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | 0xe2);
        if plain || (byte == 0xe2 && line_separator(&bytes[i..]).is_none()) {
            continue;
        }
        out.extend_from_slice(&bytes[done..i]);
        done = i + escape(out, &bytes[i..]);
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

/// The escape of U+2028 or U+2029, if `bytes` begin with one.
fn line_separator(bytes: &[u8]) -> Option<&'static [u8]> {
    match bytes {
        [0xe2, 0x80, 0xa8, ..] => Some(b"\\u2028"),
        [0xe2, 0x80, 0xa9, ..] => Some(b"\\u2029"),
        _ => None,
    }
}

/// Writes the escape of the first character and returns how many bytes it has.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    if let Some(escaped) = line_separator(bytes) {
        out.extend_from_slice(escaped);
        return 3;
    }
    match bytes[0] {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(other >> 4), digit(other & 15)]);
        }
    }
    1
}

/// Writes base64 with padding.
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    let written = written.expect("four characters for each begun three bytes are enough");
    out.truncate(start + written);
}

/// Writes an identifier in quotes: the same text as its `Display`, without making a `String`.
fn base32(out: &mut Vec<u8>, value: u128, digits: u32) {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    out.push(b'"');
    out.extend((0..digits).rev().map(|i| ALPHABET[(value >> (i * 5)) as usize & 31]));
    out.push(b'"');
}
