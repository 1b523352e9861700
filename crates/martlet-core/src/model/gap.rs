//! Publications that cannot be had any more, said out loud.

use super::{ChannelName, Offset, Position};

/// Why publications are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// They left the history by its size or its age.
    Expired,
    /// The history they were in is gone: the channel began a new epoch.
    Epoch,
    /// The channel's namespace keeps no history, or too little to catch up a lagging reader.
    NotKept,
    /// The reader's position is ahead of the history, so it belongs to something else.
    Ahead,
}

impl GapReason {
    /// The word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Epoch => "epoch",
            Self::NotKept => "not_kept",
            Self::Ahead => "ahead",
        }
    }

    /// Reads the word used on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Expired, Self::Epoch, Self::NotKept, Self::Ahead]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

/// What a reader will never get: the publications `from..=to` of its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The channel.
    pub channel: ChannelName,
    /// The first missing offset, in the epoch the reader was in.
    pub from: Offset,
    /// The last missing offset; `None` where nobody can know it (another epoch).
    pub to: Option<Offset>,
    /// Why.
    pub reason: GapReason,
    /// Where the stream goes on: the next publication is the one after this position.
    pub resume: Position,
}
