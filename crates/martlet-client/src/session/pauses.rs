//! The pauses before small things are tried again, such as a token or one channel, and the
//! session's random bits. When the connection is tried again, `retry` says.

use std::time::Duration;

use fastrand::Rng;
use martlet_core::time::Backoff;

/// The pauses of one client.
#[derive(Debug)]
pub struct Pauses {
    backoff: Backoff,
    random: Rng,
}

impl Pauses {
    /// Pauses that follow the shortest and the longest wait, spread by bits that begin at `seed`.
    pub fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self { backoff: Backoff::new(min, max), random: Rng::with_seed(seed) }
    }

    /// The next 64 random bits.
    pub fn roll(&mut self) -> u64 {
        self.random.u64(..)
    }

    /// The next pause.
    pub fn small(&mut self) -> Duration {
        let mut backoff = self.backoff.clone();
        backoff.next(self.random.u64(..));
        backoff.next(self.random.u64(..))
    }
}
