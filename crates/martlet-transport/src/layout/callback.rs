//! Names of functions that a page asks to be called, and JSON that is safe inside a script.
//!
//! What a page names ends up in JavaScript, so nothing but a dotted name of plain letters passes.

use std::fmt;

use thiserror::Error;

/// The longest name, in bytes.
const CALLBACK_BYTES_MAX: usize = 64;

/// A dotted name of a JavaScript function, such as `app.onnews`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback(Box<str>);

/// A text that is no [`Callback`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a callback is a name of letters, digits, _ and $, joined by dots, of at most 64 bytes")]
pub struct BadCallback;

impl Callback {
    /// Takes a name that is nothing but a name.
    pub fn parse(text: &str) -> Result<Self, BadCallback> {
        let good = text.len() <= CALLBACK_BYTES_MAX && text.split('.').all(is_identifier);
        if good { Ok(Self(text.into())) } else { Err(BadCallback) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_identifier(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
    let mut bytes = text.bytes();
    bytes.next().is_some_and(letter) && bytes.all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Writes JSON so that it can stand in a script, also one inside HTML: no `<`, `>` or `&`, which
/// only occur inside its texts, and none of the two line breaks that JSON allows in texts and old
/// JavaScript does not.
pub fn write_script_json(json: &[u8], out: &mut Vec<u8>) {
    let mut rest = json;
    out.reserve(json.len());
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xE2)) {
        out.extend_from_slice(&rest[..at]);
        let (escape, length): (&[u8], _) = match &rest[at..] {
            [b'<', ..] => (b"\\u003c", 1),
            [b'>', ..] => (b"\\u003e", 1),
            [b'&', ..] => (b"\\u0026", 1),
            [0xE2, 0x80, 0xA8, ..] => (b"\\u2028", 3),
            [0xE2, 0x80, 0xA9, ..] => (b"\\u2029", 3),
            _ => (&rest[at..=at], 1),
        };
        out.extend_from_slice(escape);
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest);
}
