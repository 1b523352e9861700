//! A session carried by polls: requests that are answered, each, by a batch of what there is.
//!
//! Batches are numbered. A poll names the last batch that its client has, and so acknowledges it;
//! a poll that names the one before is one whose answer was lost, and gets that batch again, byte
//! for byte. Between two polls the session stays attached, and its reader only waits; when none
//! comes for too long the client is taken to be gone.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::time::Instant;

#[cfg(test)]
mod tests;

/// What a poll is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// What there was, and its number.
    Batch {
        /// The number to name in the next poll.
        number: u32,
        /// The bytes.
        bytes: Bytes,
    },
    /// Nothing came in time, or a newer poll took this one's place.
    Nothing {
        /// The number of the last batch, as it was.
        number: u32,
    },
    /// The poll names a batch that was never sent, or is not kept any more.
    Unknown,
}

#[derive(Debug)]
struct Parked<T> {
    ticket: T,
    until: Instant,
    /// Answered as soon as it is clear that there is nothing.
    hurried: bool,
}

/// The polls of one session. `T` is how the shell finds who asked.
#[derive(Debug)]
pub struct Polls<T> {
    parked: Option<Parked<T>>,
    /// The number of the last batch.
    last: u32,
    /// The last batch, until it is acknowledged.
    kept: Bytes,
    /// When the last poll was answered.
    answered_at: Instant,
    /// How long the client may take to poll again.
    patience: Duration,
    outputs: VecDeque<(T, Polled)>,
}

impl<T> Polls<T> {
    /// A session that begins with a poll, which is answered when there is something to say, or
    /// after `wait`; at once, if it is `hurried` and there is nothing.
    pub fn begin(
        now: Instant,
        patience: Duration,
        ticket: T,
        wait: Duration,
        hurried: bool,
    ) -> Self {
        Self {
            parked: Some(Parked { ticket, until: now.after(wait), hurried }),
            last: 0,
            kept: Bytes::new(),
            answered_at: now,
            patience,
            outputs: VecDeque::new(),
        }
    }

    /// A poll came, from a client that has every batch up to `have`. With no `wait` it is hurried.
    pub fn handle_poll(&mut self, now: Instant, have: u32, ticket: T, wait: Duration) {
        if let Some(parked) = self.parked.take() {
            self.answer(now, parked.ticket, Polled::Nothing { number: self.last });
        }
        if have == self.last {
            self.kept = Bytes::new();
            let (until, hurried) = (now.after(wait), wait.is_zero());
            self.parked = Some(Parked { ticket, until, hurried });
        } else if have.wrapping_add(1) == self.last && !self.kept.is_empty() {
            let again = Polled::Batch { number: self.last, bytes: self.kept.clone() };
            self.answer(now, ticket, again);
        } else {
            self.answer(now, ticket, Polled::Unknown);
        }
    }

    /// Whoever asked by the poll that waits is gone.
    pub fn handle_gone(&mut self, now: Instant, gone: impl FnOnce(&T) -> bool) {
        if self.parked.take_if(|parked| gone(&parked.ticket)).is_some() {
            self.answered_at = now;
        }
    }

    /// The client goes for good: the poll that waits gets its answer, with nothing in it.
    pub fn handle_leave(&mut self, now: Instant) {
        self.answer_if(now, |_| true);
    }

    /// The reader was written these bytes: the poll that waits is answered.
    pub fn handle_written(&mut self, now: Instant, bytes: Bytes) {
        self.last = self.last.wrapping_add(1);
        self.kept = bytes.clone();
        if let Some(parked) = self.parked.take() {
            let batch = Polled::Batch { number: self.last, bytes };
            self.answer(now, parked.ticket, batch);
        }
    }

    /// There is nothing for the reader at this moment.
    pub fn handle_dry(&mut self, now: Instant) {
        self.answer_if(now, |parked| parked.hurried);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.answer_if(now, |parked| parked.until <= now);
    }

    /// Whether no poll came for too long.
    pub fn silent(&self, now: Instant) -> bool {
        self.parked.is_none() && self.answered_at.after(self.patience) <= now
    }

    /// Whether a poll waits for bytes.
    pub fn waiting(&self) -> bool {
        self.parked.is_some()
    }

    /// Which poll is to be answered with what.
    pub fn poll_output(&mut self) -> Option<(T, Polled)> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and ask whether it is
    /// [`silent`](Self::silent).
    pub fn poll_timeout(&self) -> Instant {
        let silent = || self.answered_at.after(self.patience);
        self.parked.as_ref().map_or_else(silent, |parked| parked.until)
    }

    fn answer_if(&mut self, now: Instant, due: impl FnOnce(&Parked<T>) -> bool) {
        if let Some(parked) = self.parked.take_if(|parked| due(parked)) {
            self.answer(now, parked.ticket, Polled::Nothing { number: self.last });
        }
    }

    fn answer(&mut self, now: Instant, ticket: T, polled: Polled) {
        self.answered_at = now;
        self.outputs.push_back((ticket, polled));
    }
}
