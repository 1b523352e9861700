//! The pauses before small things are tried again, such as a token or one channel, and the
//! session's random bits. When the connection is tried again, `retry` says.

use std::time::Duration;

use martlet_core::time::Backoff;

use super::dice::Dice;

/// The pauses of one client.
#[derive(Debug)]
pub struct Pauses {
    backoff: Backoff,
    dice: Dice,
}

impl Pauses {
    /// Pauses that follow the shortest and the longest wait, spread by bits that begin at `seed`.
    pub fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self { backoff: Backoff::new(min, max), dice: Dice::new(seed) }
    }

    /// The next 64 random bits.
    pub fn roll(&mut self) -> u64 {
        self.dice.roll()
    }

    /// The next pause.
    pub fn small(&mut self) -> Duration {
        let mut backoff = self.backoff.clone();
        backoff.next(self.dice.roll());
        backoff.next(self.dice.roll())
    }
}
