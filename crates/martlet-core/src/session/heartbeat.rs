//! Signs of life: the server pings when it has been silent for a while, and gives up when no
//! answer comes. While data flows nothing is sent; that a peer is gone then shows in the socket.

use std::time::Duration;

use crate::time::Instant;

#[cfg(test)]
mod tests;

/// What the heartbeat asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Send a ping.
    Ping,
    /// The client is gone.
    Lost,
}

/// How often it beats: the same for many, and passed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After how much silence to ping.
    pub ping: Duration,
    /// How long to wait for an answer; `None` where the transport carries none.
    pub pong: Option<Duration>,
}

/// The heartbeat of one connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heartbeat {
    pinged_at: Option<Instant>,
}

impl Heartbeat {
    /// Something came from the client: it lives.
    pub fn handle_heard(&mut self) {
        self.pinged_at = None;
    }

    /// Time has passed; the last thing was sent at `sent_at`.
    pub fn handle_timeout(&mut self, now: Instant, sent_at: Instant, pace: Pace) -> Option<Beat> {
        if self.poll_timeout(sent_at, pace) > now {
            return None;
        }
        if self.pinged_at.is_some() && pace.pong.is_some() {
            return Some(Beat::Lost);
        }
        self.pinged_at = Some(now);
        Some(Beat::Ping)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self, sent_at: Instant, pace: Pace) -> Instant {
        match (self.pinged_at, pace.pong) {
            (Some(pinged), Some(pong)) => pinged.after(pong),
            // A ping that a slow client has yet to take is not followed by another at once.
            (pinged, _) => sent_at.max(pinged.unwrap_or(sent_at)).after(pace.ping),
        }
    }
}
