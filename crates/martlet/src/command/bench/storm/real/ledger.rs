//! What was published and what came of it: how long deliveries to those took who watch, and whether
//! everybody got everything, once and in order.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::follower::Follower;
use crate::command::bench::board::histogram;

#[cfg(test)]
mod tests;

/// The account.
#[derive(Debug)]
pub struct Ledger {
    /// When each publication of each channel was meant to be sent.
    sent: Vec<Vec<Instant>>,
    /// When a delivery came to somebody who watches, and how long it took.
    taken: Vec<(Instant, Duration)>,
    /// What came that is not the next one.
    pub faults: Faults,
    /// What came.
    pub deliveries: u64,
}

/// What must not be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Publications that were passed over without a word.
    pub lost: u64,
    /// Publications that came once more, or too late.
    pub repeated: u64,
    /// Publications that somebody was told are lost.
    pub in_gaps: u64,
}

impl Ledger {
    /// The account of so many channels.
    pub fn new(channels: usize) -> Self {
        let sent = vec![Vec::new(); channels];
        Self { sent, taken: Vec::new(), faults: Faults::default(), deliveries: 0 }
    }

    /// One is to be sent at this moment: its number.
    pub fn publish(&mut self, channel: usize, intended: Instant) -> u64 {
        self.sent[channel].push(intended);
        self.sent[channel].len() as u64 - 1
    }

    /// One has come.
    pub fn deliver(&mut self, follower: &mut Follower, number: u64, now: Instant) {
        self.deliveries += 1;
        if number < follower.next {
            self.faults.repeated += 1;
            return;
        }
        self.faults.lost += number - follower.next;
        follower.next = number + 1;
        let sent = self.sent[follower.channel].get(number as usize);
        if let Some(sent) = sent.filter(|_| follower.watches) {
            self.taken.push((now, now.saturating_duration_since(*sent)));
        }
    }

    /// Somebody is told that everything up to this place is lost. Places begin with one.
    pub fn gap(&mut self, follower: &mut Follower, to: u64) {
        self.faults.in_gaps += to.saturating_sub(follower.next);
        follower.next = follower.next.max(to);
    }

    /// Whether this one has everything.
    pub fn complete(&self, follower: &Follower) -> bool {
        follower.next >= self.sent[follower.channel].len() as u64
    }

    /// What never came.
    pub fn missing<'a>(&self, followers: impl Iterator<Item = &'a Follower>) -> u64 {
        let missing = |follower: &Follower| {
            (self.sent[follower.channel].len() as u64).saturating_sub(follower.next)
        };
        followers.map(missing).sum()
    }

    /// How long deliveries took that came in this time, in nanoseconds.
    pub fn latency(&self, from: Instant, to: Instant) -> Histogram<u64> {
        let mut latency = histogram();
        for (_, took) in self.taken.iter().filter(|(at, _)| (from..=to).contains(at)) {
            latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
        latency
    }
}
