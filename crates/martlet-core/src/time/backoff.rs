//! How long to wait before the next try: exponential, with full jitter, and never zero.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// The shortest wait there is.
const MIN: Duration = Duration::from_millis(1);

/// The waiting times of a client that keeps trying. The caller brings the randomness.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    tries: u32,
}

impl Backoff {
    /// Waits between `min`, which is never zero, and `max`.
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(MIN);
        Self { min, max: max.max(min), tries: 0 }
    }

    /// The next wait. `random` is any 64 random bits; the wait lies evenly between `min` and a
    /// ceiling that doubles with every try up to `max`.
    pub fn next(&mut self, random: u64) -> Duration {
        let doubled = self.min.saturating_mul(2u32.saturating_pow(self.tries + 1));
        let ceiling = doubled.min(self.max).max(self.min);
        self.tries = (self.tries + 1).min(30);
        let share = random as f64 / u64::MAX as f64;
        self.min + (ceiling - self.min).mul_f64(share)
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}
