//! How a payload is framed for the wire, once for all who receive it.

use crate::websocket::{Deflater, Opcode, encoder};

/// The ways to frame a payload. None of them carries anything of one connection, so the bytes
/// are shared by all connections framed alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Framing {
    /// As it is: HTTP/1.0 bodies, HTTP/2 bodies.
    Raw,
    /// A chunk of HTTP/1.1.
    Chunked,
    /// A WebSocket text message.
    WsText,
    /// A WebSocket binary message.
    WsBinary,
    /// A WebSocket text message, deflated where that makes it shorter.
    WsTextDeflated,
    /// A WebSocket binary message, deflated where that makes it shorter.
    WsBinaryDeflated,
}

/// Appends the payload, framed. An empty payload writes nothing where there are no messages
/// (`Raw`, `Chunked`), for an empty chunk would end the body.
pub fn frame(framing: Framing, payload: &[u8], deflater: &mut Deflater, out: &mut Vec<u8>) {
    match framing {
        Framing::Raw => out.extend_from_slice(payload),
        Framing::Chunked => write_chunk(out, payload),
        Framing::WsText => encoder::write_text(out, payload),
        Framing::WsBinary => encoder::write_binary(out, payload),
        Framing::WsTextDeflated => write_deflated(out, Opcode::Text, payload, deflater),
        Framing::WsBinaryDeflated => write_deflated(out, Opcode::Binary, payload, deflater),
    }
}

/// The chunk that ends an HTTP/1.1 body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn write_chunk(out: &mut Vec<u8>, payload: &[u8]) {
    if payload.is_empty() {
        return;
    }
    out.reserve(payload.len() + 20);
    write_hex(out, payload.len());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// Writes a number that is not 0.
fn write_hex(out: &mut Vec<u8>, number: usize) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4);
    out.extend((0..digits).rev().map(|place| {
        let digit = (number >> (4 * place)) & 0xF;
        b"0123456789abcdef"[digit]
    }));
}

fn write_deflated(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], deflater: &mut Deflater) {
    match deflater.deflate(payload) {
        Some(deflated) => encoder::write_frame(out, opcode, true, deflated),
        None => encoder::write_frame(out, opcode, false, payload),
    }
}

#[cfg(test)]
mod tests;
