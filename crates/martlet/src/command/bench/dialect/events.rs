//! Server-sent events: martlet's plain ones, and Mercure's. Nothing goes up.

use super::{Carrier, Dialect, Heard, Who};
use crate::command::bench::door::Door;

/// A place that is read by server-sent events.
#[derive(Debug)]
pub struct Events {
    /// What stands before the name of a channel.
    path: &'static str,
    /// Whether the token of the door is for readers.
    token: bool,
}

impl Events {
    /// Martlet's, plain.
    pub const MARTLET: Self = Self { path: "/v1/sse?channel=", token: true };

    /// Mercure's; readers are anonymous.
    pub const MERCURE: Self = Self { path: "/.well-known/mercure?topic=", token: false };
}

impl Dialect for Events {
    fn carrier(&self) -> Carrier {
        Carrier::Response
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        let name = who.name().unwrap_or_default();
        let token = if self.token { who.door.token_query() } else { String::new() };
        let Self { path, .. } = self;
        let host = &who.door.host;
        format!(
            "GET {path}{name}{token} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n"
        )
        .into_bytes()
    }

    fn lets_in(&self, _: Who<'_>) -> bool {
        true
    }

    fn next<'a>(&self, _: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let (mut end, mut data, mut named) = (0, false, None);
        loop {
            let line = &bytes[end..end + super::line(&bytes[end..])?];
            end += line.len();
            match line {
                b"\n" | b"\r\n" => break,
                line if line.starts_with(b"data:") => data = true,
                line if line.starts_with(b"event:") => named = Some(line),
                _ => {}
            }
        }
        let event = &bytes[..end];
        let heard = match named {
            Some(name) => other(name, event),
            None if data => Heard::Publication(event),
            None => Heard::Nothing,
        };
        Some((heard, end))
    }

    fn publishes(&self) -> bool {
        false
    }

    fn publish(&self, _: &Door, _: usize, _: &[u8], _: &mut Vec<u8>) {}
}

/// An event that has a name is no publication.
fn other(name: &[u8], event: &[u8]) -> Heard<'static> {
    match name["event:".len()..].trim_ascii() {
        b"gap" => Heard::Gap,
        b"lagged" => Heard::Lagged,
        b"error" | b"close" => super::refused(event),
        _ => Heard::Nothing,
    }
}
