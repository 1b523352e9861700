//! How many sessions are let go by when, so that all go evenly over a time.

use std::time::Duration;

use crate::time::Instant;

#[cfg(test)]
mod tests;

/// The letting go of some sessions over a time.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    began: Instant,
    over: Duration,
    sessions: usize,
}

impl Drain {
    /// Between two rounds of letting go. Whoever goes in a round is to come back somewhere within
    /// as long a time, so that the rounds cannot be seen from outside.
    pub const ROUND: Duration = Duration::from_millis(100);

    /// Begins to let `sessions` go over the time `over`; at once if it is zero.
    pub fn new(now: Instant, over: Duration, sessions: usize) -> Self {
        Self { began: now, over, sessions }
    }

    /// How many of the `present` sessions are to go now. Those who went by themselves count.
    pub fn handle_round(&self, now: Instant, present: usize) -> usize {
        present.saturating_sub(self.may_stay(now))
    }

    /// How many may still be there.
    fn may_stay(&self, now: Instant) -> usize {
        let left = self.over.saturating_sub(now.since(self.began));
        if left.is_zero() {
            return 0;
        }
        let share = left.as_secs_f64() / self.over.as_secs_f64();
        (self.sessions as f64 * share).ceil() as usize
    }

    /// When the last are let go.
    pub fn ends(&self) -> Instant {
        self.began.after(self.over)
    }
}
