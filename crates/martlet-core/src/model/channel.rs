//! Names of channels: what is allowed in one, and which namespace it belongs to.

use std::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// The longest channel name, in bytes. It keeps a cursor of many channels inside one header.
pub const CHANNEL_NAME_BYTES_MAX: usize = 255;

/// The name of a channel: 1 to 255 bytes of UTF-8 without control characters or spaces.
///
/// Text before the first `:` names the namespace; a name without `:` is in the default one.
/// Names are compared byte by byte: case and Unicode form matter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// Why a text is not a channel name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelNameError {
    /// The text is empty.
    #[error("a channel name has at least one character")]
    Empty,
    /// The text is longer than [`CHANNEL_NAME_BYTES_MAX`].
    #[error("a channel name has at most {CHANNEL_NAME_BYTES_MAX} bytes, this one has {0}")]
    Long(usize),
    /// The text has a control character, a space or another blank.
    #[error("a channel name has no blanks and no control characters")]
    Character,
}

impl ChannelName {
    /// Checks `text` and makes it a name.
    pub fn parse(text: &str) -> Result<Self, ChannelNameError> {
        match text.len() {
            0 => Err(ChannelNameError::Empty),
            n if n > CHANNEL_NAME_BYTES_MAX => Err(ChannelNameError::Long(n)),
            _ if !plain(text) && text.chars().any(forbidden) => Err(ChannelNameError::Character),
            _ => Ok(Self(text.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text before the first `:`, or `None` for a name of the default namespace.
    pub fn namespace(&self) -> Option<&str> {
        self.0.split_once(':').map(|(namespace, _)| namespace)
    }
}

/// What most names are: looking at their bytes is enough.
fn plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Blanks and control characters, with the line separators that some text transports break at,
/// the marks that turn the reading direction round, and what cannot be seen at all: two names that
/// look the same to everybody would be a trap.
fn forbidden(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(
            c,
            '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
        )
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
