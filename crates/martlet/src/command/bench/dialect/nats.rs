//! The protocol of NATS clients over WebSocket.

use super::{Carrier, Dialect, Heard, Who, upgrade};
use crate::command::bench::door::Door;

/// The dialect.
#[derive(Debug)]
pub struct Nats;

impl Dialect for Nats {
    fn carrier(&self) -> Carrier {
        Carrier::Binary
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        upgrade(who.door, "/", None)
    }

    fn greeting(&self, who: Who<'_>) -> Vec<u8> {
        let follow = who.name().map(|name| format!("SUB {name} 1\r\n")).unwrap_or_default();
        // What is answered to the question comes after the subscription.
        format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\n{follow}PING\r\n").into()
    }

    fn next<'a>(&self, _: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let length = super::line(bytes)?;
        let line = &bytes[..length];
        if line.starts_with(b"MSG ") {
            let size = size(line)?;
            let end = length + size + b"\r\n".len();
            let data = bytes.get(length..end)?;
            return Some((Heard::Publication(data), end));
        }
        let heard = match line {
            b"PONG\r\n" => Heard::Joined,
            b"PING\r\n" => Heard::Answer(b"PONG\r\n".to_vec()),
            error if error.starts_with(b"-ERR") => super::refused(error),
            _ => Heard::Nothing,
        };
        Some((heard, length))
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        let head = format!("PUB {} {}\r\n", door.channel(channel), data.len());
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// The last word of a line is how long the data is.
fn size(line: &[u8]) -> Option<usize> {
    let word = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next()?;
    std::str::from_utf8(word).ok()?.parse().ok()
}
