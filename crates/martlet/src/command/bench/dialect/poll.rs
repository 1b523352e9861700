//! Martlet's plain long poll: a request that is answered when there is something, and the next
//! one with the cursor of the answer. Nothing else goes up.

use super::http::head;
use super::{Carrier, Dialect, Heard, Who, lines};
use crate::command::bench::door::Door;

/// How each answer ends.
const CURSOR: &[u8] = br#"{"cursor":""#;

/// The dialect.
#[derive(Debug)]
pub struct Poll;

impl Poll {
    fn request(who: Who<'_>, cursor: Option<&str>) -> Vec<u8> {
        let (name, token) = (who.name().unwrap_or_default(), who.door.token_query());
        let cursor = cursor.map(|cursor| format!("&cursor={}", cursor.replace('%', "%25")));
        let (cursor, host) = (cursor.unwrap_or_default(), &who.door.host);
        format!("GET /v1/poll?channel={name}{token}{cursor} HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .into_bytes()
    }
}

impl Dialect for Poll {
    fn carrier(&self) -> Carrier {
        Carrier::Plain
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        Self::request(who, None)
    }

    /// An answer comes as its head, and then line by line.
    fn next<'a>(&self, who: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        if b"HTTP/1.".starts_with(&bytes[..bytes.len().min(7)]) {
            let head = head(bytes)?;
            let heard = match head.status {
                200 => Heard::Joined,
                // Nothing came, and the cursor is as it was.
                204 => Heard::Answer(Self::request(who, head.field("martlet-cursor"))),
                _ => super::refused(bytes),
            };
            return Some((heard, head.length));
        }
        let length = super::line(bytes)?;
        let line = &bytes[..length];
        let cursor = line.strip_prefix(CURSOR).and_then(|rest| rest.split(|b| *b == b'"').next());
        let Some(cursor) = cursor else { return Some((lines::heard(line), length)) };
        let cursor = std::str::from_utf8(cursor).ok();
        Some((Heard::Answer(Self::request(who, cursor)), length))
    }

    fn publishes(&self) -> bool {
        false
    }

    fn publish(&self, _: &Door, _: usize, _: &[u8], _: &mut Vec<u8>) {}
}
