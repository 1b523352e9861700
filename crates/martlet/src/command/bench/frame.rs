//! WebSocket framing as the generator needs it: writes masked messages, and walks over the frames
//! that come without looking into them. Whole messages only: no server of ours cuts them up.

use std::mem;

/// The longest frame that is taken.
const FRAME_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A text message.
pub const TEXT: u8 = 0x1;
/// A message of bytes.
pub const BINARY: u8 = 0x2;
/// The end of the connection.
pub const CLOSE: u8 = 0x8;
/// A question whether the other side is there.
pub const PING: u8 = 0x9;
/// The answer to it.
pub const PONG: u8 = 0xA;

/// The mask of everything that a client writes. It need not be a surprise to anybody here.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x1e, 0x87];

/// A frame that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What kind it is.
    pub opcode: u8,
    /// The mask over its payload.
    pub mask: Option<[u8; 4]>,
    /// What it carries, still masked.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Its payload without the mask, in `out`.
    pub fn unmask(&self, out: &mut Vec<u8>) {
        out.clear();
        let mask = self.mask.unwrap_or_default();
        out.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
}

/// Writes a frame of a client.
pub fn write_masked(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    write_head(opcode, 0x80, payload.len(), out);
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Writes a frame of a server.
pub fn write(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    write_head(opcode, 0, payload.len(), out);
    out.extend_from_slice(payload);
}

fn write_head(opcode: u8, masked: u8, length: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match length {
        0..126 => out.push(masked | length as u8),
        126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// What was sent is not a frame that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Finds frames in bytes as they come. Holds no more than one unfinished frame.
#[derive(Debug, Default)]
pub struct Scanner {
    partial: Vec<u8>,
}

impl Scanner {
    /// Hands each frame that is whole to `sink`.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(Frame<'_>),
    ) -> Result<(), Malformed> {
        while !self.partial.is_empty() && !bytes.is_empty() {
            let missing = missing(&self.partial)?.min(bytes.len());
            self.partial.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if let Some((frame, _)) = parse(&self.partial)? {
                sink(frame);
                self.partial.clear();
            }
        }
        while let Some((frame, length)) = parse(bytes)? {
            sink(frame);
            bytes = &bytes[length..];
        }
        if bytes.is_empty() && self.partial.is_empty() {
            // An idle connection holds no memory.
            drop(mem::take(&mut self.partial));
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

/// How many bytes are to come before more is known, at least one.
fn missing(partial: &[u8]) -> Result<usize, Malformed> {
    let needed = match head(partial)? {
        Some(head) => head.start + head.length,
        None => partial.len() + 1,
    };
    Ok(needed.saturating_sub(partial.len()).max(1))
}

/// The frame that the bytes begin with, and its length, if it is whole.
fn parse(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    let Some(head) = head(bytes)? else { return Ok(None) };
    let end = head.start + head.length;
    let Some(payload) = bytes.get(head.start..end) else { return Ok(None) };
    Ok(Some((Frame { opcode: head.opcode, mask: head.mask, payload }, end)))
}

struct Head {
    opcode: u8,
    mask: Option<[u8; 4]>,
    start: usize,
    length: usize,
}

fn head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0xf0 != 0x80 {
        return Err(Malformed);
    }
    let (length, wide) = match second & 0x7f {
        126 => (rest.first_chunk().map(|wide| u64::from(u16::from_be_bytes(*wide))), 2),
        127 => (rest.first_chunk().map(|wide| u64::from_be_bytes(*wide)), 8),
        short => (Some(u64::from(short)), 0),
    };
    let Some(length) = length else { return Ok(None) };
    if length > FRAME_BYTES_MAX {
        return Err(Malformed);
    }
    let (mask, start) = match second & 0x80 {
        0 => (None, 2 + wide),
        _ => match rest[wide..].first_chunk::<4>() {
            Some(mask) => (Some(*mask), 6 + wide),
            None => return Ok(None),
        },
    };
    Ok(Some(Head { opcode: first & 0x0f, mask, start, length: length as usize }))
}

#[cfg(test)]
mod tests;
