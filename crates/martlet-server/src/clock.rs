//! The one place that reads clocks. Everything below is given what it says.

use std::time::{Instant as Monotonic, SystemTime, UNIX_EPOCH};

use martlet_core::model::UnixMillis;
use martlet_core::time::{Instant, Now};

/// The clocks of a node; all its workers share one beginning.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Monotonic,
}

impl Clock {
    /// A clock that begins now.
    pub fn begin() -> Self {
        Self { began: Monotonic::now() }
    }

    /// What both clocks say.
    pub fn now(&self) -> Now {
        Now { instant: self.instant(), wall: Self::wall() }
    }

    /// What the monotonic clock says.
    pub fn instant(&self) -> Instant {
        Instant(self.began.elapsed().as_micros() as u64)
    }

    /// What the wall clock says; 1970 if it is set before that.
    pub fn wall() -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(since.as_millis() as u64)
    }

    /// The moment of the runtime's timers at which `instant` is.
    pub fn deadline(&self, instant: Instant) -> tokio::time::Instant {
        (self.began + std::time::Duration::from_micros(instant.0)).into()
    }
}
