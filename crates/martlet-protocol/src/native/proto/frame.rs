//! Splits a frame into its messages and reads what can be read of one that is broken.

use prost::Message;
use prost::encoding::decode_varint;

use crate::FrameError;

/// The messages of a frame, each without its length. At most `most + 1` of them: the last one
/// shows that there are more than `most`.
pub(super) fn messages(mut frame: &[u8], most: usize) -> Result<Vec<&[u8]>, FrameError> {
    let mut messages = Vec::new();
    while !frame.is_empty() && messages.len() <= most {
        let len = decode_varint(&mut frame).map_err(|error| FrameError::new(error.to_string()))?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let Some((message, rest)) = frame.split_at_checked(len) else {
            return Err(FrameError::new("a message is longer than the frame"));
        };
        messages.push(message);
        frame = rest;
    }
    if messages.is_empty() {
        return Err(FrameError::new("there is nothing in it"));
    }
    Ok(messages)
}

/// A message with nothing but the number: what is left when the rest cannot be read.
#[derive(Clone, PartialEq, Message)]
struct OnlyId {
    #[prost(uint32, tag = "1")]
    id: u32,
}

/// The number of a command that cannot be read, if at least that can; else 0.
pub(super) fn id_of(broken: &[u8]) -> u32 {
    OnlyId::decode(broken).map(|only| only.id).unwrap_or_default()
}

/// Appends `message` after its length.
pub(super) fn append(message: &impl Message, out: &mut Vec<u8>) {
    message.encode_length_delimited(out).expect("a vector grows as it has to");
}
