//! The canary: a message that goes out and comes back the way publications do. Servers can look
//! well and deliver nothing; while the canary comes back, news come too.

use std::time::Duration;

use martlet_core::time::Instant;

#[cfg(test)]
mod tests;

/// How often it is sent.
const EVERY: Duration = Duration::from_secs(1);

/// How long without it means that nothing is heard: the connection is given up for another.
const LOST: Duration = Duration::from_secs(3);

/// How long without a connection is passed over in silence: what was missed in so short a time is
/// read, and nobody needs to be told.
const BRIEF: Duration = Duration::from_secs(2);

/// What the canary has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Song {
    /// Send this one.
    Send(u64),
    /// Nothing is heard by this connection: give it up.
    Lost,
    /// Nothing is heard, for too long to be silent about.
    Silent,
    /// Something is heard again.
    Heard,
}

/// Whether anything is heard.
#[derive(Debug)]
pub(super) struct Canary {
    /// When it was heard last, or was hoped to be from then on.
    heard: Instant,
    connected: Option<Instant>,
    next: Instant,
    number: u64,
    silent: bool,
    /// It was heard since this was said last.
    back: bool,
}

impl Canary {
    /// One that is still hoped for.
    pub fn new(now: Instant) -> Self {
        Self { heard: now, connected: None, next: now, number: 0, silent: false, back: false }
    }

    /// There is a connection by which it is to come.
    pub fn handle_connected(&mut self, now: Instant) {
        self.connected = Some(now);
        self.next = now;
    }

    /// There is none any more.
    pub fn handle_disconnected(&mut self) {
        self.connected = None;
    }

    /// It came back. One of an earlier connection says nothing.
    pub fn handle_heard(&mut self, now: Instant, number: u64) {
        if self.connected.is_some() && number == self.number {
            self.heard = now;
            self.back = true;
        }
    }

    /// Whether it was said that nothing is heard.
    pub fn silent(&self) -> bool {
        self.silent
    }

    /// What is to be done.
    pub fn poll(&mut self, now: Instant) -> Option<Song> {
        if std::mem::take(&mut self.back) && std::mem::take(&mut self.silent) {
            return Some(Song::Heard);
        }
        if !self.silent && self.heard.after(BRIEF + EVERY) <= now {
            self.silent = true;
            return Some(Song::Silent);
        }
        let connected = self.connected?;
        if self.heard.max(connected).after(LOST) <= now {
            self.connected = None;
            return Some(Song::Lost);
        }
        if self.next <= now {
            self.number += 1;
            self.next = now.after(EVERY);
            return Some(Song::Send(self.number));
        }
        None
    }
}
