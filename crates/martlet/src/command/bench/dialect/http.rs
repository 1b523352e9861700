//! Answers of HTTP/1.1 as far as their length, and publishing by requests that do not wait for
//! one another's answers.

use super::{Carrier, Dialect, Heard, Who};
use crate::command::bench::door::Door;

/// The head of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The status.
    pub status: u16,
    /// How long it is itself.
    pub length: usize,
    fields: &'a str,
}

impl<'a> Head<'a> {
    /// A field of it.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        let fields = self.fields.lines().filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }

    /// Whether its body comes in chunks.
    pub fn chunked(&self) -> bool {
        self.field("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"))
    }

    /// The end of the whole answer, if it is there.
    pub fn end(&self, bytes: &[u8]) -> Option<usize> {
        const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
        let body = &bytes[self.length..];
        let length = match (self.status, self.chunked()) {
            (204 | 304, _) => 0,
            (_, true) => body.windows(5).position(|bytes| bytes == LAST_CHUNK)? + 5,
            (_, false) => self.field("content-length").and_then(|it| it.parse().ok()).unwrap_or(0),
        };
        (body.len() >= length).then_some(self.length + length)
    }
}

/// The head that bytes begin with, once it is whole.
pub fn head(bytes: &[u8]) -> Option<Head<'_>> {
    let length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let fields = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
    let status = fields.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Some(Head { status, length, fields })
}

/// Publishing by `POST`.
#[derive(Debug)]
pub struct Posts {
    path: &'static str,
    /// Whether channel and data are fields of a form; else one is in the path, the other the body.
    form: bool,
}

impl Posts {
    /// Nchan's publisher, as its documentation has it.
    pub const NCHAN: Self = Self { path: "/pub/", form: false };

    /// Mercure's hub.
    pub const MERCURE: Self = Self { path: "/.well-known/mercure", form: true };
}

impl Dialect for Posts {
    fn carrier(&self) -> Carrier {
        Carrier::Plain
    }

    fn first(&self, _: Who<'_>) -> Vec<u8> {
        Vec::new()
    }

    fn lets_in(&self, _: Who<'_>) -> bool {
        true
    }

    fn next<'a>(&self, _: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let head = head(bytes)?;
        let end = head.end(bytes)?;
        let heard = match head.status {
            200..300 => Heard::Nothing,
            _ => super::refused(bytes),
        };
        Some((heard, end))
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        let (name, host, path) = (door.channel(channel), &door.host, self.path);
        let token = door.token.as_ref().map(|it| format!("Authorization: Bearer {it}\r\n"));
        let token = token.unwrap_or_default();
        let (path, kind, before) = match self.form {
            true => (
                path.to_owned(),
                "application/x-www-form-urlencoded",
                format!("topic={name}&data="),
            ),
            false => (format!("{path}{name}"), "text/plain", String::new()),
        };
        let length = before.len() + data.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{token}Content-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{before}"
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(data);
    }
}
