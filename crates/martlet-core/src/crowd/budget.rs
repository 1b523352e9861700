//! How much memory the node may take, how short of it it is, and what is given up when.
//!
//! It measures nothing and gives up nothing. It is told how many bytes are counted and how many
//! the process has, and says at which [`Level`] the node is; whoever holds the memory acts.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

#[cfg(test)]
mod tests;

/// How short of memory a node is. Each level does what those before it do, and one thing more, so
/// that the order of the levels is the order in which things are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// There is enough.
    Calm,
    /// Logs are cut: readers who are behind go on from the history.
    Trimming,
    /// Newcomers are refused, and told when to come again.
    Closed,
    /// Clients that are owed most are let go, and told when to come back.
    Parting,
    /// Histories go before their time, oldest publications first.
    Forgetting,
    /// Publications are refused.
    Refusing,
}

impl Level {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Calm, Self::Trimming, Self::Closed, Self::Parting, Self::Forgetting, Self::Refusing];

    /// The level with this number, or the last.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Refusing)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Trimming => "trimming",
            Self::Closed => "closed",
            Self::Parting => "parting",
            Self::Forgetting => "forgetting",
            Self::Refusing => "refusing",
        }
    }

    /// What begins at this level, for people.
    pub fn says(self) -> &'static str {
        match self {
            Self::Calm => "there is enough memory",
            Self::Trimming => "logs are cut; readers who are behind go on from the history",
            Self::Closed => "newcomers are refused",
            Self::Parting => "clients that are owed most are let go",
            Self::Forgetting => "histories go before their time",
            Self::Refusing => "publications are refused",
        }
    }

    /// From which part of the budget on, in hundredths.
    fn percent(self) -> usize {
        match self {
            Self::Calm => 0,
            Self::Trimming => 65,
            Self::Closed => 75,
            Self::Parting => 80,
            Self::Forgetting => 85,
            Self::Refusing => 95,
        }
    }

    fn lower(self) -> Self {
        Self::from_number((self as u8).saturating_sub(1))
    }
}

/// A level is left when this much less is held than where it begins, in hundredths of the budget.
const SLACK: usize = 5;

/// What may be counted and was let go is taken to be had again for so much of the budget.
const FREED_PART: usize = 4;

/// The memory of a node.
#[derive(Debug, Clone)]
pub struct Budget {
    bytes: usize,
    counted: usize,
    /// What the process has beyond what is counted.
    beyond: usize,
    /// The most that was counted between measurements, and when each ended.
    peaks: VecDeque<(Instant, usize)>,
    /// The most that was counted since the last one.
    peak: usize,
    level: Level,
    /// When the level was last entered, or last had to be.
    since: Instant,
}

impl Budget {
    /// A level is left no sooner than this after there was last a reason for it, and each that
    /// was passed on the way up is left by itself.
    pub const HOLD: Duration = Duration::from_secs(2);

    /// How long the allocator takes to give back what it was given. Until then the process seems
    /// to hold what was let go.
    pub const RETURNED: Duration = Duration::from_secs(20);

    /// A budget of so many bytes, of which nothing is taken.
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes: bytes.max(1),
            counted: 0,
            beyond: 0,
            peaks: VecDeque::new(),
            peak: 0,
            level: Level::Calm,
            since: Instant(0),
        }
    }

    /// So many bytes are counted now.
    pub fn handle_counted(&mut self, now: Instant, counted: usize) -> Level {
        self.counted = counted;
        self.peak = self.peak.max(counted);
        self.judge(now)
    }

    /// The process was found to have so many bytes. To be called about once a second.
    pub fn handle_resident(&mut self, now: Instant, resident: usize) -> Level {
        self.peaks.push_back((now, self.peak));
        self.peak = self.counted;
        while self.peaks.front().is_some_and(|(then, _)| now.since(*then) > Self::RETURNED) {
            self.peaks.pop_front();
        }
        let highest = self.peaks.iter().map(|(_, peak)| *peak).max().unwrap_or(0);
        // What was let go may still be the process'. Held against the node it would be let go
        // again each second; but memory that nobody counts may have taken its place.
        let freed = highest.saturating_sub(self.counted).min(self.bytes / FREED_PART);
        self.beyond = resident.saturating_sub(self.counted + freed);
        self.judge(now)
    }

    /// Up at once, as far as need be; down one by one, each after a while.
    fn judge(&mut self, now: Instant) -> Level {
        let held = self.held();
        let reached = Level::ALL.into_iter().rev().find(|level| held >= self.begins(*level));
        let reached = reached.unwrap_or(Level::Calm);
        if reached > self.level {
            (self.level, self.since) = (reached, now);
        } else if held >= self.ends(self.level) {
            self.since = now;
        } else if self.level > Level::Calm && now.since(self.since) >= Self::HOLD {
            (self.level, self.since) = (self.level.lower(), now);
        }
        self.level
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// How many bytes there may be.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many bytes are taken, counted or not.
    pub fn held(&self) -> usize {
        self.counted + self.beyond
    }

    /// How many bytes too many are held for `level` to be left.
    pub fn over(&self, level: Level) -> usize {
        self.held().saturating_sub(self.ends(level))
    }

    /// From how many bytes on there is this level.
    fn begins(&self, level: Level) -> usize {
        part(self.bytes, level.percent())
    }

    /// Under how many bytes it is left.
    fn ends(&self, level: Level) -> usize {
        part(self.bytes, level.percent().saturating_sub(SLACK))
    }

    /// How much of a budget of `bytes` all histories may take at any time. What is kept from the
    /// past is no reason to turn away the present.
    pub fn for_histories(bytes: usize) -> usize {
        bytes / 2
    }

    /// How much all logs may take once they are cut.
    pub fn for_logs(bytes: usize) -> usize {
        bytes / 8
    }

    /// How much the bodies of requests may take that are being read or done.
    pub fn for_bodies(bytes: usize) -> usize {
        bytes / 8
    }

    /// How much the letters to all workers may take before publications are refused.
    pub fn for_letters(bytes: usize) -> usize {
        bytes / 16
    }
}

/// So many hundredths of `bytes`, for any number of bytes.
fn part(bytes: usize, percent: usize) -> usize {
    bytes / 100 * percent + bytes % 100 * percent / 100
}
