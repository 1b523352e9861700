//! A WebSocket client that can break every rule.

use std::collections::VecDeque;
use std::net::SocketAddr;

use flate2::{Decompress, FlushDecompress};
use serde_json::{Value, json};

use crate::raw::Raw;

pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;
pub const FIN: u8 = 0x80;
pub const RSV1: u8 = 0x40;

/// A frame of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub payload: Vec<u8>,
}

pub struct WebSocket {
    pub raw: Raw,
    events: VecDeque<Value>,
}

/// The head of a handshake, with `extra` fields.
pub fn handshake(extra: &str) -> String {
    format!(
        "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
    )
}

/// A masked frame, with the shortest length there is.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    const MASK: [u8; 4] = [7, 0x80, 0xff, 42];
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

pub fn text(text: &str) -> Vec<u8> {
    frame(FIN | TEXT, text.as_bytes())
}

/// What a deflated frame says.
fn inflate(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * 1024);
    let input = [&frame.payload[..], &[0, 0, 0xff, 0xff]].concat();
    let mut inflate = Decompress::new(false);
    inflate.decompress_vec(&input, &mut out, FlushDecompress::Sync).unwrap();
    out
}

impl WebSocket {
    /// Shakes hands for JSON.
    pub fn open(address: SocketAddr) -> Self {
        Self::open_with(address, "Sec-WebSocket-Protocol: martlet.v1.json\r\n")
    }

    pub fn open_with(address: SocketAddr, extra: &str) -> Self {
        let mut raw = Raw::open(address);
        raw.say(handshake(extra));
        let answer = raw.answer();
        assert_eq!(answer.status, 101, "{answer:?}");
        Self { raw, events: VecDeque::new() }
    }

    /// Shakes hands and connects.
    pub fn connected(address: SocketAddr) -> Self {
        let mut socket = Self::open(address);
        socket.command(json!({"id": 1, "connect": {}}));
        socket.event("connected");
        socket
    }

    pub fn command(&mut self, command: Value) -> bool {
        self.raw.say(text(&command.to_string()))
    }

    /// The next frame; `None` at the end of the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        let head = self.raw.take(2)?;
        assert_eq!(head[1] & 0x80, 0, "the server masks nothing");
        let length = match head[1] {
            126 => u16::from_be_bytes(self.raw.take(2)?.try_into().unwrap()).into(),
            127 => u64::from_be_bytes(self.raw.take(8)?.try_into().unwrap()),
            short => u64::from(short),
        };
        Some(Frame { first: head[0], payload: self.raw.take(length as usize)? })
    }

    /// The next event of the native protocol; `None` when the connection is closing.
    pub fn any_event(&mut self) -> Option<Value> {
        while self.events.is_empty() {
            let frame = self.frame()?;
            match frame.first & 0xf {
                TEXT => {
                    let text = String::from_utf8(frame.payload).unwrap();
                    let events = text.split('\n').map(|line| serde_json::from_str(line).unwrap());
                    self.events.extend(events);
                }
                CLOSE => return None,
                _ => {}
            }
        }
        self.events.pop_front()
    }

    /// Passes over events until one has this name, and gives what it says.
    pub fn event(&mut self, name: &str) -> Value {
        loop {
            let event = self.any_event();
            let mut event = event.unwrap_or_else(|| panic!("closed before {name} came"));
            if let Some(found) = event.get_mut(name) {
                return found.take();
            }
        }
    }

    /// The number of the next error.
    pub fn error(&mut self) -> u64 {
        self.event("error")["code"].as_u64().unwrap()
    }

    /// Passes over everything until the server closes: gives the code of the `close` event, and
    /// code and reason of the close frame. The connection has to end after it.
    pub fn closed(&mut self) -> (u64, u16, String) {
        let (mut event, mut first) = (0, None);
        while first.is_none() {
            let frame = self.frame().expect("a close frame comes before the end");
            let json =
                if frame.first & RSV1 == 0 { frame.payload.clone() } else { inflate(&frame) };
            let close: Value = serde_json::from_slice(&json).unwrap_or_default();
            match frame.first {
                0x81 | 0xc1 if close.get("close").is_some() => {
                    event = close["close"]["code"].as_u64().unwrap();
                }
                0x88 => first = Some(frame.payload),
                _ => assert_eq!(event, 0, "nothing but the close frame follows the last event"),
            }
        }
        let (code, reason) = first.as_ref().unwrap().split_at(2);
        let code = u16::from_be_bytes(code.try_into().unwrap());
        self.raw.say(frame(FIN | CLOSE, &code.to_be_bytes()));
        assert!(self.raw.ended().is_empty(), "nothing follows a close frame");
        (event, code, String::from_utf8(reason.to_vec()).unwrap())
    }
}
