//! The decision where a reader begins, given what it asked for and what is kept. A pure
//! function: the whole of recovery turns on it.

use crate::model::{ChannelName, Gap, GapReason, Offset, Position};

#[cfg(test)]
mod tests;

/// What a history holds, as a store reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The newest publication.
    pub head: Position,
    /// The oldest that can still be read; one past the head if there is none.
    pub first: Offset,
    /// Whether the channel keeps a history at all.
    pub kept: bool,
    /// Where this history went on from another that lost its tail: up to this position of the
    /// other the publications are the same, under the same offsets.
    pub previous: Option<Position>,
}

impl Extent {
    /// Where a reader goes on in this history that had everything up to `seen` in another. What
    /// both have in common it has; if there is nothing, all that is kept is new to it.
    pub fn go_on(&self, seen: Position) -> Position {
        let common = self.previous.filter(|previous| previous.epoch == seen.epoch);
        let seen = common.map_or(0, |previous| seen.offset.min(previous.offset));
        Position { epoch: self.head.epoch, offset: seen.max(self.first - 1) }
    }
}

/// Where a reader begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// The stream begins after this position.
    pub position: Position,
    /// What the reader asked for and cannot have.
    pub gap: Option<Gap>,
}

/// Where a reader of `channel` begins that has seen everything up to `seen`.
///
/// In the same epoch it goes on where it was, or at the oldest kept publication behind a gap.
/// In another epoch everything kept is new to it, but for what both have in common. A position ahead of the head belongs to a
/// history that lost its tail, so the present is the only safe place.
pub fn begin(channel: &ChannelName, seen: Position, extent: Extent) -> Begin {
    let Extent { head, first, kept, .. } = extent;
    let at = |offset| Position { epoch: head.epoch, offset };
    let (reason, position, to) = if seen.epoch != head.epoch {
        (GapReason::Epoch, extent.go_on(seen), None)
    } else if seen.offset > head.offset {
        (GapReason::Ahead, head, None)
    } else if seen.offset + 1 < first {
        let reason = if kept { GapReason::Expired } else { GapReason::NotKept };
        (reason, at(first - 1), Some(first - 1))
    } else {
        return Begin { position: seen, gap: None };
    };
    let from = seen.offset.saturating_add(1);
    let gap = Gap { channel: channel.clone(), from, to, reason, resume: position };
    Begin { position, gap: Some(gap) }
}
