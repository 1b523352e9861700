//! Centrifugo's JSON protocol, version 2, over WebSocket.

use super::{Carrier, Dialect, Heard, Who, upgrade};
use crate::command::bench::door::Door;

/// The dialect.
#[derive(Debug)]
pub struct Centrifugo;

impl Dialect for Centrifugo {
    fn carrier(&self) -> Carrier {
        Carrier::Text
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        upgrade(who.door, "/connection/websocket", None)
    }

    fn greeting(&self, who: Who<'_>) -> Vec<u8> {
        let connect = r#"{"id":1,"connect":{}}"#;
        match who.name() {
            None => connect.into(),
            Some(name) => {
                format!("{connect}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{name}\"}}}}").into()
            }
        }
    }

    fn next<'a>(&self, who: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let length = super::line(bytes).unwrap_or(bytes.len());
        let reply = bytes[..length].trim_ascii_end();
        let is = |begin: &str| reply.starts_with(begin.as_bytes());
        let heard = if is(r#"{"push":"#) {
            pushed(reply)
        } else if reply == b"{}" {
            Heard::Answer(b"{}".to_vec())
        } else if reply.windows(8).any(|window| window == br#""error":"#) {
            super::refused(reply)
        } else if is(r#"{"id":2,"#) || is(r#"{"id":1,"#) && who.channel.is_none() {
            Heard::Joined
        } else {
            Heard::Nothing
        };
        Some((heard, length))
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"id":3,"publish":{"channel":""#);
        out.extend_from_slice(door.channel(channel).as_bytes());
        out.extend_from_slice(br#"","data":""#);
        out.extend_from_slice(data);
        out.extend_from_slice(br#""}}"#);
    }
}

/// Something that was not asked for: `{"push":{"channel":"NAME","pub":{…}}}`.
fn pushed(push: &[u8]) -> Heard<'_> {
    const NAMED: usize = br#"{"push":{"channel":""#.len();
    let name = push.get(NAMED..).and_then(|rest| rest.iter().position(|byte| *byte == b'"'));
    let what = name.map(|length| &push[NAMED + length..]).unwrap_or_default();
    match what.starts_with(br#"","pub":"#) {
        true => Heard::Publication(push),
        false => Heard::Nothing,
    }
}
