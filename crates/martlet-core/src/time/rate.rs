//! A rate limit in one word: the generic cell rate algorithm.

use std::time::Duration;

use super::Instant;

#[cfg(test)]
mod tests;

/// What remains of somebody's allowance. Eight bytes for each limited thing; the allowance
/// itself (`per_second`, `burst`) is passed in, since it is the same for all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// The instant at which the allowance is whole again.
    whole_at: Instant,
}

impl Rate {
    /// Takes one from the allowance of `per_second` on average and `burst` at once. When there
    /// is none left, says how long to wait for one. A `per_second` of 0 means no limit.
    pub fn take(&mut self, now: Instant, per_second: u32, burst: u32) -> Result<(), Duration> {
        if per_second == 0 {
            return Ok(());
        }
        // In whole microseconds, like instants, so that whoever waits as told is not early.
        let each = Duration::from_micros(1_000_000u64.div_ceil(per_second.into()));
        let ahead = self.whole_at.since(now);
        let room = each * burst.max(1);
        if ahead + each > room {
            return Err(ahead + each - room);
        }
        self.whole_at = self.whole_at.max(now).after(each);
        Ok(())
    }

    /// Whether nothing of the allowance is in use, so that the entry may be forgotten.
    pub fn whole(&self, now: Instant) -> bool {
        self.whole_at <= now
    }
}
