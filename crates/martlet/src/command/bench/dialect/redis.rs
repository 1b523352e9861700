//! Redis over its own protocol, a yardstick: `SUBSCRIBE` and `PUBLISH` on bare TCP.

use super::{Carrier, Dialect, Heard, Who};
use crate::command::bench::door::Door;

/// The dialect.
#[derive(Debug)]
pub struct Redis;

impl Dialect for Redis {
    fn carrier(&self) -> Carrier {
        Carrier::Plain
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        match who.name() {
            Some(name) => command(&[b"SUBSCRIBE", name.as_bytes()]),
            None => command(&[b"PING"]),
        }
    }

    fn next<'a>(&self, _: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let length = super::line(bytes)?;
        let heard = match bytes[0] {
            b'*' => return array(bytes, length),
            b'-' => super::refused(&bytes[..length]),
            b'+' => Heard::Joined,
            _ => Heard::Nothing,
        };
        Some((heard, length))
    }

    /// Whoever follows may say nothing else, in this version of the protocol.
    fn publishes(&self) -> bool {
        false
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        write_command(&[b"PUBLISH", door.channel(channel).as_bytes(), data], out);
    }
}

/// Writes a command.
pub fn write_command(words: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write_command(words, &mut out);
    out
}

/// A message or an answer: three texts, of which the last of an answer is a number.
fn array(bytes: &[u8], head: usize) -> Option<(Heard<'_>, usize)> {
    let (kind, end) = item(bytes, head)?;
    let (_, end) = item(bytes, end)?;
    let (last, end) = item(bytes, end)?;
    let heard = match kind {
        b"message" => Heard::Publication(last),
        b"subscribe" => Heard::Joined,
        _ => Heard::Nothing,
    };
    Some((heard, end))
}

/// The item of an array that begins here, and where it ends.
fn item(bytes: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(start..)?;
    let length = super::line(rest)?;
    let number = &rest[1..length - 2];
    if rest[0] != b'$' {
        return Some((number, start + length));
    }
    let size: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
    let text = rest.get(length..length + size)?;
    (rest.len() >= length + size + 2).then_some((text, start + length + size + 2))
}
