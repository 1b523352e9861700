//! The cursor: a client's position in every channel it follows, as one text.
//!
//! `42.k3f9x2ab.news~7.0a1b2c3d.room:1` — offset, epoch and channel, joined by `.` and parted by
//! `~`. Characters of a channel that mean something here or in a URL are percent-encoded, so a
//! cursor is plain ASCII and goes through a header, a query and a person's clipboard unchanged.
//! It is not signed and needs not be: it only chooses how much of a granted history to read.

use std::fmt;

use super::{ChannelName, Epoch, Offset, Position};

#[cfg(test)]
mod tests;

/// The longest cursor text, in bytes. It has to fit a request's head.
pub const CURSOR_BYTES_MAX: usize = 16 * 1024;

/// A client's position in each of its channels, in the order the client named them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor(Vec<(ChannelName, Position)>);

/// Why a text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Longer than [`CURSOR_BYTES_MAX`].
    #[error("a cursor has at most {CURSOR_BYTES_MAX} bytes")]
    Long,
    /// A part is not `offset.epoch.channel`.
    #[error("a cursor is made of offset.epoch.channel parts joined by ~; part {0} is not one")]
    Part(usize),
}

impl Cursor {
    /// A cursor of these positions.
    pub fn new(positions: Vec<(ChannelName, Position)>) -> Self {
        Self(positions)
    }

    /// Reads the text form. An empty text is the empty cursor.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(CursorError::Long);
        }
        let parts = text.split('~').filter(|part| !part.is_empty()).enumerate();
        let positions = parts.map(|(i, part)| parse_part(part).ok_or(CursorError::Part(i + 1)));
        positions.collect::<Result<_, _>>().map(Self)
    }

    /// The position in `channel`, if the cursor has one. The last one counts.
    pub fn position(&self, channel: &ChannelName) -> Option<Position> {
        self.0.iter().rev().find(|(name, _)| name == channel).map(|(_, position)| *position)
    }

    /// Every channel with its position.
    pub fn iter(&self) -> impl Iterator<Item = &(ChannelName, Position)> {
        self.0.iter()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (channel, position)) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("~")?;
            }
            write!(f, "{}.{}.", position.offset, position.epoch)?;
            write_escaped(f, channel.as_str())?;
        }
        Ok(())
    }
}

fn parse_part(part: &str) -> Option<(ChannelName, Position)> {
    let mut fields = part.splitn(3, '.');
    let offset: Offset = parse_offset(fields.next()?)?;
    let epoch = Epoch::parse(fields.next()?)?;
    let channel = ChannelName::parse(&unescape(fields.next()?)?).ok()?;
    Some((channel, Position { epoch, offset }))
}

/// Digits only: `str::parse` would take a `+` too.
fn parse_offset(text: &str) -> Option<Offset> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':')
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        if plain(byte) {
            write!(f, "{}", byte as char)?;
        } else {
            write!(f, "%{byte:02x}")?;
        }
    }
    Ok(())
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.contains('+'))?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}
