//! Slots: the shares into which a node's channels are divided, whichever of its workers has them.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

use super::ChannelName;

/// How many slots there are; far more than workers, so that each of these gets nearly as many.
const SLOTS: u64 = 4_096;

/// Which slot a channel is in. A worker owns whole slots, and what is known of a slot stays true
/// when they are dealt out anew.
#[derive(Debug, Clone)]
pub struct Slots(FixedState);

impl Slots {
    /// `seed` is random, so that nobody can choose channels that meet in one slot.
    pub fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    /// The slot of a channel.
    pub fn of(&self, channel: &ChannelName) -> u16 {
        (self.0.hash_one(channel.as_str()) % SLOTS) as u16
    }

    /// Which of `owners` has the channel.
    pub fn owner(&self, channel: &ChannelName, owners: usize) -> usize {
        usize::from(self.of(channel)) % owners.max(1)
    }
}

#[cfg(test)]
mod tests;
