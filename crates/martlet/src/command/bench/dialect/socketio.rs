//! Socket.IO, version 4 of its protocol below, over WebSocket alone. The server puts whoever says
//! `subscribe` into a room, and whatever anybody says by `publish` to it.

use super::{Carrier, Dialect, Heard, Who, upgrade};
use crate::command::bench::door::Door;

/// The dialect.
#[derive(Debug)]
pub struct Socketio;

impl Dialect for Socketio {
    fn carrier(&self) -> Carrier {
        Carrier::Text
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        upgrade(who.door, "/socket.io/?EIO=4&transport=websocket", None)
    }

    fn next<'a>(&self, who: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let is = |begin: &str| bytes.starts_with(begin.as_bytes());
        let heard = if is(r#"42["publication","#) {
            Heard::Publication(bytes)
        } else if is("2") {
            Heard::Answer(b"3".to_vec())
        } else if is("0") {
            Heard::Answer(b"40".to_vec())
        } else if is("40") {
            let follow = |name| format!(r#"42["subscribe","{name}"]"#).into_bytes();
            who.name().map_or(Heard::Joined, |name| Heard::Answer(follow(name)))
        } else if is(r#"42["subscribed""#) {
            Heard::Joined
        } else if is("41") || is("44") {
            super::refused(bytes)
        } else {
            Heard::Nothing
        };
        Some((heard, bytes.len()))
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(br#"42["publish",""#);
        out.extend_from_slice(door.channel(channel).as_bytes());
        out.extend_from_slice(br#"",""#);
        out.extend_from_slice(data);
        out.extend_from_slice(br#""]"#);
    }
}
