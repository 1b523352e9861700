//! What is kept of a message or a control frame while it is incomplete.

use super::{CONTROL_BYTES, Fault, Opcode};

/// The beginning of a message. Text is checked as it comes, so that what can never become UTF-8
/// is refused at its first wrong byte and not at the end of the message.
#[derive(Debug)]
pub(super) struct Message {
    pub kind: Opcode,
    pub deflated: bool,
    pub fragments: u32,
    bytes: Vec<u8>,
    /// How far the text has been found to be UTF-8.
    checked: usize,
}

impl Message {
    pub(super) fn new(kind: Opcode, deflated: bool) -> Self {
        Self { kind, deflated, fragments: 0, bytes: Vec::new(), checked: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends bytes that the header's check has allowed.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.bytes.extend_from_slice(piece);
        if self.kind != Opcode::Text || self.deflated {
            return Ok(());
        }
        match simdutf8::compat::from_utf8(&self.bytes[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Fault::NotUtf8),
        }
        Ok(())
    }
}

/// The beginning of a control frame.
#[derive(Debug)]
pub(super) struct Control {
    bytes: [u8; CONTROL_BYTES],
    length: u8,
}

impl Default for Control {
    fn default() -> Self {
        Self { bytes: [0; CONTROL_BYTES], length: 0 }
    }
}

impl Control {
    /// Appends bytes; the header's check has made sure that they fit.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let start = self.length as usize;
        self.bytes[start..start + piece.len()].copy_from_slice(piece);
        self.length += piece.len() as u8;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length as usize]
    }
}
