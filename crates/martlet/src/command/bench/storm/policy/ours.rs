//! The waits of martlet's clients: the machine of the Rust client, as it has them where nothing else
//! is configured.

use std::time::Duration;

use fastrand::Rng;
use martlet_client::Options;
use martlet_client::session::{Advice, Retry};
use martlet_core::model::UnixMillis;
use martlet_core::time::{Instant, Now};

use super::Loss;

/// The waits of one client.
#[derive(Debug)]
pub struct Ours {
    retry: Retry,
    random: Rng,
}

impl Ours {
    /// A client whose random bits begin at `seed`.
    pub fn new(seed: u64) -> Self {
        let Options { backoff_min, backoff_max, .. } = Options::default();
        Self { retry: Retry::new(backoff_min, backoff_max), random: Rng::with_seed(seed) }
    }

    /// Whether it may set out, or how long it may not.
    pub fn permit(&mut self, now: Instant) -> Result<(), Duration> {
        self.retry.permit(clocks(now)).map(drop)
    }

    /// The server let it in.
    pub fn handle_connected(&mut self, now: Instant) {
        self.retry.handle_connected(clocks(now));
    }

    /// How long it waits after a loss.
    pub fn handle_lost(&mut self, now: Instant, loss: Loss) -> Option<Duration> {
        let advice = match loss {
            Loss::Told(Some(after)) => Advice::After(after),
            Loss::Told(None) | Loss::Cut => Advice::None,
        };
        self.retry.handle_lost(clocks(now), advice, self.random.u64(..))
    }
}

/// The machine does not look at the wall's clock.
fn clocks(now: Instant) -> Now {
    Now { instant: now, wall: UnixMillis(0) }
}
