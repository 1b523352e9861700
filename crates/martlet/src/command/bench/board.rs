//! The account of what was published and what has arrived: for each channel its publications
//! that somebody still waits for, when each was meant to be sent, and how many have yet to get it.
//!
//! A channel's order is guaranteed, so the number of a publication follows from counting: nothing
//! is read on the way, but of one delivery in a thousand the number is, to see that the count is
//! right.

use std::collections::VecDeque;
use std::time::Instant;

use hdrhistogram::Histogram;

/// How often a delivery is looked at.
const SAMPLE: u64 = 1_000;

/// The longest latency that is told apart from longer ones, in nanoseconds.
const LONGEST: u64 = 100_000_000_000;

/// The digits of a publication's number, at the beginning of its data.
pub const DIGITS: usize = 20;

/// A reader's place in the channel that it follows.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The channel.
    pub channel: usize,
    next: u64,
    lost: bool,
}

impl Place {
    /// The place of a reader who has followed the channel from its beginning.
    #[cfg(test)]
    pub fn new(channel: usize) -> Self {
        Self::after(channel, 0)
    }

    /// The place of a reader who has so many publications of it already.
    pub fn after(channel: usize, seen: u64) -> Self {
        Self { channel, next: seen, lost: false }
    }

    /// Its count cannot be trusted until the next publication is looked at.
    pub fn lose(&mut self) {
        self.lost = true;
    }
}

/// A publication under way.
#[derive(Debug)]
struct Publication {
    intended: Instant,
    left: u32,
}

#[derive(Debug, Default)]
struct Channel {
    readers: u32,
    first: u64,
    under_way: VecDeque<Publication>,
}

/// What has been counted.
#[derive(Debug, Clone)]
pub struct Tally {
    /// How long deliveries took from when they were meant to be sent, in nanoseconds.
    pub latency: Histogram<u64>,
    /// Publications made.
    pub publications: u64,
    /// Publications that arrived, each as often as it did.
    pub deliveries: u64,
    /// Deliveries that never came.
    pub missed: u64,
    /// How often a reader was told that it had fallen behind.
    pub lagged: u64,
    /// How often a reader was told that publications are lost.
    pub gaps: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Reads that had something.
    pub reads: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latency: histogram(),
            publications: 0,
            deliveries: 0,
            missed: 0,
            lagged: 0,
            gaps: 0,
            bytes: 0,
            reads: 0,
        }
    }
}

impl Tally {
    /// Counts what another counted too.
    pub fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("all histograms here have the same bounds");
        self.publications += other.publications;
        self.deliveries += other.deliveries;
        self.missed += other.missed;
        self.lagged += other.lagged;
        self.gaps += other.gaps;
        self.bytes += other.bytes;
        self.reads += other.reads;
    }
}

/// A histogram of nanoseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, LONGEST, 3).expect("the bounds and digits are allowed")
}

/// The account of one server.
#[derive(Debug, Default)]
pub struct Board {
    channels: Vec<Channel>,
    /// What was counted since it was taken last.
    pub tally: Tally,
    /// Publications that somebody waits for.
    pub under_way: usize,
    /// Deliveries that are still to come, of all of them.
    pub owed: u64,
    /// Channels of publications that have reached everybody since it was emptied last.
    pub completed: Vec<usize>,
    /// What was found wrong in a delivery that was looked at.
    pub wrong: Option<String>,
    /// What those who come back are to reach.
    pub goal: Option<Goal>,
    looked: u64,
}

/// A publication that everybody is to have, and who has it.
#[derive(Debug)]
pub struct Goal {
    /// How many publications that is, from the channel's beginning.
    pub publications: u64,
    /// From when it counts.
    pub begun: Instant,
    /// How long each took who has it, in nanoseconds.
    pub reached: Histogram<u64>,
}

impl Goal {
    fn reach(&mut self, place: &Place, now: Instant) {
        if place.next == self.publications {
            let took = now.saturating_duration_since(self.begun).as_nanos();
            self.reached.saturating_record(took as u64);
        }
    }
}

impl Board {
    /// An account of so many channels.
    pub fn new(channels: usize) -> Self {
        Self { channels: (0..channels).map(|_| Channel::default()).collect(), ..Self::default() }
    }

    /// A reader follows a channel, in which nothing has been published.
    pub fn join(&mut self, channel: usize) {
        self.channels[channel].readers += 1;
    }

    /// So many publications were made in a channel before anybody of this account came.
    pub fn begin_after(&mut self, channel: usize, publications: u64) {
        self.channels[channel].first = publications;
    }

    /// How many follow a channel.
    pub fn readers(&self, channel: usize) -> u64 {
        u64::from(self.channels[channel].readers)
    }

    /// A publication is on its way, which was meant to be sent at `intended`. Gives its number.
    pub fn publish(&mut self, channel: usize, intended: Instant) -> u64 {
        let channel = &mut self.channels[channel];
        let number = channel.first + channel.under_way.len() as u64;
        channel.under_way.push_back(Publication { intended, left: channel.readers });
        self.tally.publications += 1;
        self.under_way += 1;
        self.owed += u64::from(channel.readers);
        number
    }

    /// A publication has arrived.
    pub fn deliver(&mut self, place: &mut Place, message: &[u8], now: Instant) {
        self.looked += 1;
        if place.lost || self.looked.is_multiple_of(SAMPLE) {
            self.look(place, message);
        }
        self.tally.deliveries += 1;
        let number = place.next;
        place.next += 1;
        if let Some(goal) = &mut self.goal {
            goal.reach(place, now);
        }
        let channel = &mut self.channels[place.channel];
        let Some(found) = number.checked_sub(channel.first) else { return };
        let Some(publication) = channel.under_way.get_mut(found as usize) else {
            self.wrong.get_or_insert_with(|| "more arrived than was published".into());
            return;
        };
        let took = now.saturating_duration_since(publication.intended);
        self.tally.latency.saturating_record(took.as_nanos() as u64);
        self.reached(place.channel, number, 1);
    }

    /// Somebody has a publication, or will never have it.
    fn reached(&mut self, at: usize, number: u64, readers: u32) {
        let channel = &mut self.channels[at];
        let Some(found) = number.checked_sub(channel.first) else { return };
        let Some(publication) = channel.under_way.get_mut(found as usize) else { return };
        let before = publication.left;
        publication.left = before.saturating_sub(readers);
        self.owed -= u64::from(before - publication.left);
        if before == 0 || publication.left > 0 {
            return;
        }
        self.completed.push(at);
        self.under_way -= 1;
        while channel.under_way.front().is_some_and(|publication| publication.left == 0) {
            channel.under_way.pop_front();
            channel.first += 1;
        }
    }

    /// Looks at a delivery: its number has to be the one counted, unless the reader lost count.
    fn look(&mut self, place: &mut Place, message: &[u8]) {
        let Some(number) = number_of(message) else {
            self.wrong.get_or_insert_with(|| "a publication is not as it was sent".into());
            return;
        };
        if std::mem::take(&mut place.lost) {
            for missed in place.next..number {
                self.tally.missed += 1;
                self.reached(place.channel, missed, 1);
            }
            place.next = number;
        } else if number != place.next {
            self.wrong.get_or_insert_with(|| {
                format!("publication {number} arrived where {} was next", place.next)
            });
        }
    }

    /// A reader is gone: nobody waits for what it has not got.
    pub fn leave(&mut self, place: &Place) {
        let channel = &mut self.channels[place.channel];
        channel.readers -= 1;
        let end = channel.first + channel.under_way.len() as u64;
        for number in place.next..end {
            self.tally.missed += 1;
            self.reached(place.channel, number, 1);
        }
    }

    /// Nobody waits any longer; what has not arrived is missed. Every reader's place is lost.
    pub fn give_up(&mut self) {
        for channel in &mut self.channels {
            let left: u64 = channel.under_way.iter().map(|one| u64::from(one.left)).sum();
            self.tally.missed += left;
            channel.first += channel.under_way.len() as u64;
            channel.under_way.clear();
        }
        (self.under_way, self.owed) = (0, 0);
    }
}

/// The number in the data of a publication: the first twenty digits that stand together.
fn number_of(message: &[u8]) -> Option<u64> {
    let digits = |bytes: &&[u8]| bytes.iter().all(u8::is_ascii_digit);
    let found = message.windows(DIGITS).find(digits)?;
    std::str::from_utf8(found).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
