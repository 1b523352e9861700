//! The native protocol over WebSocket, `martlet.v1.json`, as clients speak it; the bare loops
//! speak as much of it as is needed here.

use serde_json::{Value, json};

use super::{Carrier, Dialect, Heard, Who, upgrade};
use crate::command::bench::door::Door;

/// How every publication begins. What begins otherwise is decoded.
const PUBLICATION: &[u8] = br#"{"publication":"#;

/// What others in the channel do; nothing comes of it here.
const OTHERS: [&[u8]; 2] = [br#"{"join":"#, br#"{"leave":"#];

/// The dialect.
#[derive(Debug)]
pub struct Martlet;

/// What is sent first for a WebSocket.
pub fn handshake(door: &Door) -> Vec<u8> {
    upgrade(door, "/v1/ws", Some("martlet.v1.json"))
}

/// The `connect` of a client that follows a channel, or none; from where it has been before.
pub fn connect(who: Who<'_>) -> Vec<u8> {
    let mut connect = json!({ "agent": concat!("martlet-bench/", env!("CARGO_PKG_VERSION")) });
    if let Some(token) = &who.door.token {
        connect["token"] = json!(token);
    }
    if let Some(channel) = who.name() {
        connect["subscribe"] = json!([{ "channel": channel }]);
        if let Some(seen) = &who.door.seen {
            let follow = &mut connect["subscribe"][0];
            (follow["epoch"], follow["offset"]) = (json!(seen.epoch), json!(seen.offset));
        }
    }
    json!({ "id": 1, "connect": connect }).to_string().into_bytes()
}

impl Dialect for Martlet {
    fn carrier(&self) -> Carrier {
        Carrier::Text
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        handshake(who.door)
    }

    fn greeting(&self, who: Who<'_>) -> Vec<u8> {
        connect(who)
    }

    fn next<'a>(&self, who: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        if bytes.starts_with(PUBLICATION) {
            // The server puts one into each message.
            return Some((Heard::Publication(bytes), bytes.len()));
        }
        let length = super::line(bytes).unwrap_or(bytes.len());
        let event = &bytes[..length];
        if OTHERS.iter().any(|other| event.starts_with(other)) {
            return Some((Heard::Nothing, length));
        }
        let event = serde_json::from_slice(event);
        Some((event.map_or_else(|_| foreign(), |event| take(who, &event)), length))
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"publish":{"channel":""#);
        out.extend_from_slice(door.channel(channel).as_bytes());
        out.extend_from_slice(br#"","data":""#);
        out.extend_from_slice(data);
        out.extend_from_slice(br#""}}"#);
    }
}

fn foreign() -> Heard<'static> {
    Heard::Refused("the server sent what is no JSON".into())
}

/// What an event comes to that is no publication.
pub fn take(who: Who<'_>, event: &Value) -> Heard<'static> {
    let has = |name| event.get(name).is_some();
    if has("ping") {
        Heard::Answer(br#"{"pong":{}}"#.to_vec())
    } else if let Some(refusal) = event.get("error").or_else(|| event.get("close")) {
        Heard::Refused(sentence(refusal))
    } else if has("subscribed") || has("connected") && who.channel.is_none() {
        Heard::Joined
    } else if has("lagged") {
        Heard::Lagged
    } else if has("gap") {
        Heard::Gap
    } else {
        Heard::Nothing
    }
}

/// A refusal in words: its message, number and hint.
fn sentence(refusal: &Value) -> String {
    let text = |name: &str| refusal.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = refusal.get("code").and_then(Value::as_u64).unwrap_or(0);
    format!("the server refused: {} ({number}) {}", text("message"), text("hint"))
}
