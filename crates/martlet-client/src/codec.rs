//! The seam to the codec: frames out of commands, and answers out of frames, for each wire.
//! What the bytes look like is decided in `martlet-protocol`.

use bytes::Bytes;
use martlet_core::session::{Answer, Numbered};
use martlet_protocol::native::{json, proto};

use crate::options::Wire;

/// A frame under construction, bounded in bytes and commands.
#[derive(Debug)]
pub struct FrameBuilder {
    wire: Wire,
    bytes: Vec<u8>,
    commands: usize,
    bytes_max: usize,
}

/// What became of a command that was to go into a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is in.
    In,
    /// It goes into the next frame.
    Next,
    /// It goes into no frame.
    Never,
}

/// Few enough that the server's default limit of 256 is never met.
const COMMANDS_MAX: usize = 128;

impl FrameBuilder {
    /// An empty frame of at most `bytes_max` bytes.
    pub fn new(wire: Wire, bytes_max: usize) -> Self {
        Self { wire, bytes: Vec::new(), commands: 0, bytes_max }
    }

    /// Adds `command` if it fits.
    pub fn add(&mut self, command: &Numbered) -> Fit {
        if self.commands == COMMANDS_MAX {
            return Fit::Next;
        }
        let before = self.bytes.len();
        if before > 0 && self.wire == Wire::Json {
            self.bytes.extend_from_slice(json::JOINT);
        }
        encode(self.wire, command, &mut self.bytes);
        if self.bytes.len() <= self.bytes_max {
            self.commands += 1;
            return Fit::In;
        }
        self.bytes.truncate(before);
        if before == 0 { Fit::Never } else { Fit::Next }
    }

    /// The frame; `None` when nothing is in it.
    pub fn finish(self) -> Option<Bytes> {
        (self.commands > 0).then(|| self.bytes.into())
    }
}

/// A frame of this command alone, whatever its size.
pub fn frame(wire: Wire, command: &Numbered) -> Bytes {
    let mut bytes = Vec::new();
    encode(wire, command, &mut bytes);
    bytes.into()
}

fn encode(wire: Wire, command: &Numbered, out: &mut Vec<u8>) {
    match wire {
        Wire::Json => json::encode_command(command, out),
        Wire::Proto => proto::encode_command(command, out),
    }
}

/// The answers in a frame, or why it cannot be read.
pub fn decode(wire: Wire, frame: &[u8]) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    let read = match wire {
        Wire::Json => json::decode_answer(frame, |answer| answers.push(answer)),
        Wire::Proto => proto::decode_answer(frame, |answer| answers.push(answer)),
    };
    read.map_err(|error| error.to_string())?;
    Ok(answers)
}
