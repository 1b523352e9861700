//! Where a publication stands: an offset in a history, and the identity of that history.

use std::fmt;

use super::base32;

#[cfg(test)]
mod tests;

/// A publication's number in its channel's history. The first publication has 1; 0 stands before
/// the first. Offsets rise by one.
pub type Offset = u64;

const EPOCH_DIGITS: u32 = 8;

/// The identity of a channel's history. When a history was lost or restarted its epoch is new,
/// and offsets of the old epoch mean nothing any more. Written as eight base-32 digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(u64);

impl Epoch {
    /// Makes an epoch of the lowest 40 bits of `random`.
    pub fn new(random: u64) -> Self {
        Self(random & ((1 << (EPOCH_DIGITS * 5)) - 1))
    }

    /// Reads the text form. `None` unless it is exactly eight base-32 digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != EPOCH_DIGITS as usize {
            return None;
        }
        base32::decode(text).map(|value| Self(value as u64))
    }

    /// The 40 bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(self.0.into(), EPOCH_DIGITS))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place in a channel's history: everything up to and including `offset` is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which history.
    pub epoch: Epoch,
    /// The last publication behind this place; 0 for none.
    pub offset: Offset,
}
