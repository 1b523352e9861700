//! Requests that wait: not yet sent, or sent and not yet answered. They outlive connections: what
//! was not answered is sent again, in order, under the same idempotency key.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use martlet_core::session::{Command, Numbered};
use martlet_core::time::{Instant, Now};

use super::output::Ticket;
use crate::error::Error;

/// The server remembers idempotency keys for five minutes; a publication that waits longer could
/// be published twice.
const TIMEOUT_MAX: Duration = Duration::from_secs(240);

/// The most requests that are sent and not answered. After a long absence much may wait, and a
/// server takes only so many commands at once.
const UNANSWERED: usize = 64;

/// Waiting requests, bounded in number and bytes.
#[derive(Debug)]
pub struct Requests {
    waiting: BTreeMap<Ticket, Waiting>,
    /// Which request a number on the wire belongs to.
    sent: HashMap<u32, Ticket>,
    next: u64,
    bytes: usize,
    limit: usize,
    bytes_limit: usize,
    timeout: Duration,
    /// The server wants nothing before this time.
    held_until: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    command: Command,
    size: usize,
    deadline: Instant,
}

impl Requests {
    /// At most `limit` requests of `bytes_limit` bytes together, each for at most `timeout`.
    pub fn new(limit: usize, bytes_limit: usize, timeout: Duration) -> Self {
        Self {
            waiting: BTreeMap::new(),
            sent: HashMap::new(),
            next: 0,
            bytes: 0,
            limit,
            bytes_limit,
            timeout: timeout.min(TIMEOUT_MAX),
            held_until: None,
        }
    }

    /// Takes in a request of about `size` bytes.
    pub fn add(&mut self, now: Now, command: Command, size: usize) -> Result<Ticket, Error> {
        if self.waiting.len() >= self.limit || self.bytes + size > self.bytes_limit {
            return Err(Error::Full);
        }
        self.next += 1;
        self.bytes += size;
        let deadline = now.instant.after(self.timeout);
        self.waiting.insert(Ticket(self.next), Waiting { command, size, deadline });
        Ok(Ticket(self.next))
    }

    /// The request as a command numbered `id`; `None` if it waits no more.
    pub fn numbered(&self, ticket: Ticket, id: u32) -> Option<Numbered> {
        let waiting = self.waiting.get(&ticket)?;
        Some(Numbered { id, command: waiting.command.clone() })
    }

    /// The request went out as number `id`.
    pub fn handle_sent(&mut self, ticket: Ticket, id: u32) {
        self.sent.insert(id, ticket);
    }

    /// Whether one more may be sent now.
    pub fn may_send(&self) -> bool {
        self.sent.len() < UNANSWERED && self.held_until.is_none()
    }

    /// The server was asked number `id` too soon, and takes it after `wait`. The request is to be
    /// sent again, and none before that.
    pub fn handle_too_soon(&mut self, now: Now, id: u32, wait: Duration) -> Option<Ticket> {
        let ticket = self.sent.remove(&id)?;
        let until = now.instant.after(wait);
        self.held_until = Some(self.held_until.map_or(until, |held| held.max(until)));
        self.waiting.contains_key(&ticket).then_some(ticket)
    }

    /// Time has passed: the server may want more now.
    pub fn handle_timeout(&mut self, now: Now) {
        self.held_until.take_if(|until| *until <= now.instant);
    }

    /// Number `id` was answered: the request it belongs to waits no more.
    pub fn handle_answered(&mut self, id: u32) -> Option<Ticket> {
        let ticket = self.sent.remove(&id)?;
        self.remove(ticket).then_some(ticket)
    }

    /// Takes a request out. Whether it was there.
    pub fn remove(&mut self, ticket: Ticket) -> bool {
        let Some(waiting) = self.waiting.remove(&ticket) else { return false };
        self.bytes -= waiting.size;
        true
    }

    /// The connection is gone: numbers mean nothing any more, requests stay.
    pub fn handle_lost(&mut self) {
        self.sent.clear();
        self.held_until = None;
    }

    /// All waiting requests, oldest first.
    pub fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.waiting.keys().copied()
    }

    /// Takes out one request whose time is over.
    pub fn poll_overdue(&mut self, now: Now) -> Option<Ticket> {
        let due = |waiting: &Waiting| waiting.deadline <= now.instant;
        let ticket = self.waiting.first_key_value().filter(|(_, w)| due(w)).map(|(t, _)| *t)?;
        self.remove(ticket);
        self.sent.retain(|_, sent| *sent != ticket);
        Some(ticket)
    }

    /// When the oldest request's time is over, or the server may want more.
    pub fn poll_timeout(&self) -> Option<Instant> {
        // All have the same time, so that of the first is over first.
        let oldest = self.waiting.first_key_value().map(|(_, waiting)| waiting.deadline);
        oldest.into_iter().chain(self.held_until).min()
    }
}
