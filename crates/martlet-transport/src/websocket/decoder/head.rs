//! The header of one frame, and everything that can be refused by looking at it alone.

use super::{CONTROL_BYTES, Fault, Opcode};
use crate::websocket::{FIN, MASKED, RSV1, RSV2_AND_3};

/// The longest header: two bytes, eight of length, four of mask.
pub(super) const LONGEST: usize = 14;

/// The most frames in one message.
const FRAGMENTS: u32 = 1024;

/// A header, and how much of its payload is still to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub opcode: Opcode,
    pub fin: bool,
    pub deflated: bool,
    /// The mask, turned so that its first byte belongs to the next byte of the payload.
    pub mask: [u8; 4],
    pub left: u32,
}

/// What a header has to agree with.
pub(super) struct Rules {
    pub deflate: bool,
    pub limit: u32,
    /// Length so far and number of frames of the message that is being continued.
    pub message: Option<(usize, u32)>,
}

/// The header at the beginning of the bytes and its length, or `None` if there is not enough of
/// it. A header that breaks the rules is refused as soon as the offending byte is there.
pub(super) fn parse(bytes: &[u8], rules: &Rules) -> Result<Option<(Head, usize)>, Fault> {
    let Some(&[first, second]) = bytes.first_chunk::<2>() else {
        return Ok(None);
    };
    let opcode = Opcode::from_bits(first & 0x0F).ok_or(Fault::ReservedOpcode)?;
    let fin = first & FIN != 0;
    let deflated = first & RSV1 != 0;
    check_bits(first, opcode, rules)?;
    if second & MASKED == 0 {
        return Err(Fault::Unmasked);
    }
    check_place(opcode, fin, second & !MASKED, rules)?;
    let Some((length, used)) = parse_length(second & !MASKED, &bytes[2..])? else {
        return Ok(None);
    };
    let left = check_length(opcode, length, rules)?;
    let used = 2 + used;
    let Some(mask) = bytes[used..].first_chunk::<4>() else {
        return Ok(None);
    };
    Ok(Some((Head { opcode, fin, deflated, mask: *mask, left }, used + 4)))
}

fn check_bits(first: u8, opcode: Opcode, rules: &Rules) -> Result<(), Fault> {
    let begins_message = matches!(opcode, Opcode::Text | Opcode::Binary);
    let deflate_bit_allowed = rules.deflate && begins_message;
    if first & RSV2_AND_3 != 0 || (first & RSV1 != 0 && !deflate_bit_allowed) {
        return Err(Fault::ReservedBit);
    }
    Ok(())
}

fn check_place(opcode: Opcode, fin: bool, short: u8, rules: &Rules) -> Result<(), Fault> {
    match (opcode, rules.message) {
        (Opcode::Close | Opcode::Ping | Opcode::Pong, _) if !fin => Err(Fault::FragmentedControl),
        (Opcode::Close | Opcode::Ping | Opcode::Pong, _) if short as usize > CONTROL_BYTES => {
            Err(Fault::LongControl)
        }
        (Opcode::Continuation, None) => Err(Fault::NothingToContinue),
        (Opcode::Text | Opcode::Binary, Some(_)) => Err(Fault::MessageInsideMessage),
        (Opcode::Continuation, Some((_, frames))) if frames >= FRAGMENTS => {
            Err(Fault::TooManyFragments)
        }
        _ => Ok(()),
    }
}

/// The length of the payload, and how many bytes after the first two it took.
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Fault> {
    let (length, used, least) = match short {
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8, 0x1_0000),
            None => return Ok(None),
        },
        _ => (u64::from(short), 0, 0),
    };
    if length < least { Err(Fault::LengthNotMinimal) } else { Ok(Some((length, used))) }
}

fn check_length(opcode: Opcode, length: u64, rules: &Rules) -> Result<u32, Fault> {
    let before = match rules.message {
        Some((length, _)) if !opcode.is_control() => length as u64,
        _ => 0,
    };
    if !opcode.is_control() && before.saturating_add(length) > u64::from(rules.limit) {
        return Err(Fault::TooBig);
    }
    u32::try_from(length).map_err(|_| Fault::TooBig)
}
