//! The waits of martlet's clients: the machine of the Rust client.

use std::time::Duration;

use martlet_core::time::{Backoff, Instant};

use super::super::dice::Dice;
use super::Loss;

/// The shortest and the longest wait, as the client has them where nothing else is configured.
const MIN: Duration = Duration::from_millis(200);
const MAX: Duration = Duration::from_secs(20);

/// The waits of one client.
#[derive(Debug)]
pub struct Ours {
    backoff: Backoff,
    dice: Dice,
}

impl Ours {
    /// A client whose random bits begin at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { backoff: Backoff::new(MIN, MAX), dice: Dice::new(seed) }
    }

    /// The server let it in.
    pub fn handle_connected(&mut self, _now: Instant) {
        self.backoff.reset();
    }

    /// How long it waits after a loss.
    pub fn handle_lost(&mut self, _now: Instant, loss: Loss) -> Option<Duration> {
        Some(match loss {
            Loss::Told(Some(after)) => after.max(MIN),
            Loss::Told(None) | Loss::Cut => self.backoff.next(self.dice.roll()),
        })
    }
}
