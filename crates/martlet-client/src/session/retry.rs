//! When to try again after a connection is lost or could not be made.

use std::time::Duration;

use martlet_core::time::{Backoff, Instant, Now};

use super::dice::Dice;

/// What the other side advised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing: back off.
    None,
    /// Come back after this time.
    After(Duration),
    /// Do not come back.
    Never,
}

/// A connection that lived this long was a success, and the next loss begins with a short wait.
/// A server that lets everybody in and drops them at once is not asked again and again.
const STEADY: Duration = Duration::from_secs(5);

/// The waits of one client.
#[derive(Debug)]
pub struct Retry {
    backoff: Backoff,
    min: Duration,
    dice: Dice,
    connected_at: Option<Instant>,
}

impl Retry {
    /// Waits between `min` and `max`, spread by bits that begin at `seed`.
    pub fn new(min: Duration, max: Duration, seed: u64) -> Self {
        let min = min.max(Duration::from_millis(1));
        let (backoff, dice) = (Backoff::new(min, max), Dice::new(seed));
        Self { backoff, min, dice, connected_at: None }
    }

    /// The server let the client in.
    pub fn handle_connected(&mut self, now: Now) {
        self.connected_at = Some(now.instant);
    }

    /// How long to wait after a loss; `None` to stay away. Never zero.
    pub fn handle_lost(&mut self, now: Now, advice: Advice) -> Option<Duration> {
        let connected_at = self.connected_at.take();
        if connected_at.is_some_and(|at| now.instant.since(at) >= STEADY) {
            self.backoff.reset();
        }
        match advice {
            Advice::None => Some(self.backoff.next(self.dice.roll())),
            Advice::After(after) => Some(after.max(self.min)),
            Advice::Never => None,
        }
    }

    /// The wait before one more try of something small, such as a token or one channel.
    pub fn small(&mut self) -> Duration {
        let mut backoff = self.backoff.clone();
        backoff.next(self.dice.roll());
        backoff.next(self.dice.roll())
    }
}
