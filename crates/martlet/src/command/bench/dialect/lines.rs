//! Martlet's plain stream: a response with an object a line. Nothing goes up.

use super::{Carrier, Dialect, Heard, Who};
use crate::command::bench::door::Door;

/// The dialect.
#[derive(Debug)]
pub struct Lines;

impl Dialect for Lines {
    fn carrier(&self) -> Carrier {
        Carrier::Response
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        let (name, token) = (who.name().unwrap_or_default(), who.door.token_query());
        let host = &who.door.host;
        format!("GET /v1/stream?limit=0&channel={name}{token} HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .into_bytes()
    }

    fn lets_in(&self, _: Who<'_>) -> bool {
        true
    }

    fn next<'a>(&self, _: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let length = super::line(bytes)?;
        Some((heard(&bytes[..length]), length))
    }

    fn publishes(&self) -> bool {
        false
    }

    fn publish(&self, _: &Door, _: usize, _: &[u8], _: &mut Vec<u8>) {}
}

/// What a line comes to.
pub fn heard(line: &[u8]) -> Heard<'_> {
    let is = |begin: &[u8]| line.starts_with(begin);
    if is(br#"{"publication":"#) {
        Heard::Publication(line)
    } else if is(br#"{"gap":"#) {
        Heard::Gap
    } else if is(br#"{"lagged":"#) {
        Heard::Lagged
    } else if is(br#"{"error":"#) || is(br#"{"close":"#) {
        super::refused(line)
    } else {
        Heard::Nothing
    }
}
