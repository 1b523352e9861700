//! A client of HTTP/2 that writes its frames by hand.

use std::net::SocketAddr;

use crate::raw::Raw;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const ENHANCE_YOUR_CALM: u32 = 11;
pub const REFUSED_STREAM: u32 = 7;

/// A frame of the server.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a reset, or of a goodbye.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The status of an answer, which our server writes as an index or as three digits.
    pub fn status(&self) -> u16 {
        match self.payload[0] {
            0x88 => 200,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            // A name of the table, and three digits in the code for strings.
            0x48 if self.payload[1] & 0x80 != 0 => digits(&self.payload[2..]),
            _ => panic!("this is no status: {self:?}"),
        }
    }
}

/// Three digits in Huffman's code as HPACK has it: 0 to 2 have five bits, 3 to 9 have six.
fn digits(bytes: &[u8]) -> u16 {
    let mut bits =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut next = |count| (0..count).fold(0, |sum, _| sum * 2 + bits.next().unwrap());
    (0..3).fold(0, |sum, _| {
        let first = next(5);
        sum * 10 + if first < 3 { first } else { first * 2 + next(1) - 0b01_1001 + 3 }
    })
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// A header field that enters no table; `name` is a number of the static table.
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut out = vec![name];
    number(value.len(), 7, &mut out);
    out.extend(value.as_bytes());
    out
}

/// A number as HPACK writes it, with this many bits in its first byte.
fn number(value: usize, bits: u8, out: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if value < most {
        return out.push(value as u8);
    }
    out.push(most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The header block of a `GET`.
pub fn get(path: &str) -> Vec<u8> {
    [vec![0x82, 0x86], literal(4, path), literal(1, "localhost")].concat()
}

/// The header block of a `POST`.
pub fn post(path: &str) -> Vec<u8> {
    [vec![0x83, 0x86], literal(4, path), literal(1, "localhost")].concat()
}

pub struct H2 {
    pub raw: Raw,
}

impl H2 {
    /// Begins, with settings of the client.
    pub fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut raw = Raw::open(address);
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        raw.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        raw.say(frame(SETTINGS, 0, 0, &payload));
        Self { raw }
    }

    pub fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.raw.say(frame(kind, flags, stream, payload))
    }

    /// Asks by `GET` on a stream.
    pub fn ask(&mut self, stream: u32, path: &str) -> bool {
        self.say(HEADERS, END_HEADERS | END_STREAM, stream, &get(path))
    }

    /// The next frame, after settings and pings were answered; `None` at the end.
    pub fn frame(&mut self) -> Option<Frame> {
        loop {
            let head = self.raw.take(9)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let payload = self.raw.take(length)?;
            let frame = Frame { kind: head[3], flags: head[4], payload };
            match (frame.kind, frame.flags & ACK) {
                (SETTINGS, 0) => _ = self.say(SETTINGS, ACK, 0, &[]),
                (PING, 0) => _ = self.say(PING, ACK, 0, &frame.payload),
                (SETTINGS | PING, _) => {}
                _ => return Some(frame),
            }
        }
    }

    /// The next frame of this kind; `None` at the end.
    pub fn next(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// The next frame that answers or ends something; `None` at the end.
    pub fn verdict(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            if matches!(frame.kind, HEADERS | RESET | GOAWAY) {
                return Some(frame);
            }
        }
    }
}
