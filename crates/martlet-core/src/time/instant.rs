//! The monotonic instant and the pair of clocks that every `handle_*` gets first.

use std::time::Duration;

use crate::model::UnixMillis;

#[cfg(test)]
mod tests;

/// A point of monotonic time: microseconds since the node (or the simulation) began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The end of time.
    pub const NEVER: Self = Self(u64::MAX);

    /// This instant plus `duration`; the end of time if that is too far.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// What the clocks say: the monotonic one for measuring, the wall's for dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Monotonic time.
    pub instant: Instant,
    /// Wall-clock time.
    pub wall: UnixMillis,
}
