//! MQTT 3.1.1 over WebSocket, with QoS 0 and without keep-alive.

use super::{Carrier, Dialect, Heard, Who, upgrade};
use crate::command::bench::door::Door;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

/// The dialect.
#[derive(Debug)]
pub struct Mosquitto;

impl Dialect for Mosquitto {
    fn carrier(&self) -> Carrier {
        Carrier::Binary
    }

    fn first(&self, who: Who<'_>) -> Vec<u8> {
        upgrade(who.door, "/mqtt", Some("mqtt"))
    }

    fn greeting(&self, _: Who<'_>) -> Vec<u8> {
        // Version 4, a clean session, no keep-alive, and a name that the server makes up.
        packet(CONNECT, b"\0\x04MQTT\x04\x02\0\0\0\0")
    }

    fn next<'a>(&self, who: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)> {
        let (start, length) = measure(bytes)?;
        let body = bytes.get(start..start + length)?;
        let heard = match bytes[0] & 0xf0 {
            PUBLISH => Heard::Publication(data(body)),
            CONNACK if body.get(1) != Some(&0) => {
                Heard::Refused("the server refused to connect".into())
            }
            CONNACK => who.name().map_or(Heard::Joined, |name| Heard::Answer(subscribe(&name))),
            SUBACK if body.get(2) == Some(&0x80) => {
                Heard::Refused("the server refused the subscription".into())
            }
            SUBACK => Heard::Joined,
            _ => Heard::Nothing,
        };
        Some((heard, start + length))
    }

    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>) {
        let name = door.channel(channel);
        out.push(PUBLISH);
        write_length(2 + name.len() + data.len(), out);
        write_text(&name, out);
        out.extend_from_slice(data);
    }
}

/// What comes after the name of the channel, which may end in digits too.
fn data(body: &[u8]) -> &[u8] {
    let name = body.first_chunk().map_or(0, |wide| usize::from(u16::from_be_bytes(*wide)));
    body.get(2 + name..).unwrap_or_default()
}

fn subscribe(name: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    write_text(name, &mut body);
    body.push(0);
    packet(SUBSCRIBE, &body)
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    write_length(body.len(), &mut out);
    out.extend_from_slice(body);
    out
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Seven bits a byte, the lowest first.
fn write_length(mut length: usize, out: &mut Vec<u8>) {
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Where the body of a packet begins, and how long it is.
fn measure(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return Some((at + 1, length));
        }
    }
    None
}
