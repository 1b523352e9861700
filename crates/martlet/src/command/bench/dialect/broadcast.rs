//! The smallest hub there is, a word of our own that peers made of a bare WebSocket library speak:
//! `GET /?channel=NAME` follows, which the text `open` confirms; the text `NAME DATA` publishes,
//! and those who follow get the text `DATA`. Without a channel one only publishes.

use super::{Carrier, Dialect, Heard, Who, upgrade};
use crate::command::bench::door::Door;

/// The dialect.
#[derive(Debug)]
pub struct Broadcast;

impl Dialect for Broadcast {
    fn carrier(&self) -> Carrier {
        Carrier::Text
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        let query = who.name().map(|name| format!("?channel={name}"));
        upgrade(who.door, &format!("/{}", query.unwrap_or_default()), None)
    }

    fn lets_in(&self, who: Who<'_>) -> bool {
        who.channel.is_none()
    }

    fn next<'a>(&self, _: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let heard = if bytes == b"open" { Heard::Joined } else { Heard::Publication(bytes) };
        Some((heard, bytes.len()))
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(door.channel(channel).as_bytes());
        out.push(b' ');
        out.extend_from_slice(data);
    }
}
