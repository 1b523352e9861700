//! The server's frames: never masked, never fragmented.

use super::{CONTROL_BYTES, FIN, Opcode, RSV1};

/// The longest header of a server's frame.
pub const HEAD_BYTES: usize = 10;

/// Writes a whole text message.
pub fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    write_frame(out, Opcode::Text, false, text);
}

/// Writes a whole binary message.
pub fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    write_frame(out, Opcode::Binary, false, bytes);
}

/// Writes a ping. A payload beyond 125 bytes is cut, for a control frame holds no more.
pub fn write_ping(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, Opcode::Ping, false, &payload[..payload.len().min(CONTROL_BYTES)]);
}

/// Writes a pong. A payload beyond 125 bytes is cut, for a control frame holds no more.
pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, Opcode::Pong, false, &payload[..payload.len().min(CONTROL_BYTES)]);
}

/// Writes a close with a code and a reason; a long reason is cut between two characters.
/// `None` writes a close without a code, the answer to one that had none.
pub fn write_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let Some(code) = code else {
        write_frame(out, Opcode::Close, false, &[]);
        return;
    };
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES - 2)];
    write_head(out, Opcode::Close, false, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Writes one whole frame; `deflated` says that the payload is.
pub(crate) fn write_frame(out: &mut Vec<u8>, opcode: Opcode, deflated: bool, payload: &[u8]) {
    out.reserve(HEAD_BYTES + payload.len());
    write_head(out, opcode, deflated, payload.len());
    out.extend_from_slice(payload);
}

fn write_head(out: &mut Vec<u8>, opcode: Opcode, deflated: bool, length: usize) {
    out.push(FIN | if deflated { RSV1 } else { 0 } | opcode.bits());
    match length {
        0..=125 => out.push(length as u8),
        126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}
