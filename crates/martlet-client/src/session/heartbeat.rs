//! Whether the server is still there: it speaks at least every `ping`, so silence is a loss.

use std::time::Duration;

use martlet_core::time::{Instant, Now};

/// The longest silence that is waited out.
#[derive(Debug, Default)]
pub struct Heartbeat {
    silence: Option<Duration>,
    heard: Instant,
}

/// What a server may ask for at most; a silence without end would never be noticed.
const SILENCE_MAX: Duration = Duration::from_secs(600);

impl Heartbeat {
    /// The server promised to speak every `ping`, and waits `pong` itself.
    pub fn handle_connected(&mut self, now: Now, ping: Duration, pong: Duration) {
        self.silence = Some(ping.saturating_add(pong).min(SILENCE_MAX));
        self.heard = now.instant;
    }

    /// Something came, whatever it was.
    pub fn handle_heard(&mut self, now: Now) {
        self.heard = now.instant;
    }

    /// The connection is gone, and with it the promise.
    pub fn handle_lost(&mut self) {
        self.silence = None;
    }

    /// When the silence becomes a loss.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.silence.map(|silence| self.heard.after(silence))
    }
}
