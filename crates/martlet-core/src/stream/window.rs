//! The kept publications of one channel, bounded by number and age. It neither numbers
//! publications nor reads a clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Namespace, Offset, Publication, UnixMillis};

#[cfg(test)]
mod tests;

/// How much of a channel is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The most publications; 0 keeps none.
    pub size: usize,
    /// The longest time.
    pub age: Duration,
}

impl Keep {
    /// What the namespace says.
    pub fn of(namespace: &Namespace) -> Self {
        Self { size: namespace.history_size, age: namespace.history_age }
    }
}

/// The newest publications of a channel, oldest first, their offsets rising by one.
#[derive(Debug, Clone, Default)]
pub struct Window {
    kept: VecDeque<Arc<Publication>>,
    weight: usize,
}

impl Window {
    /// Adds the newest publication and lets go of those over the limit.
    pub fn push(&mut self, publication: Arc<Publication>, keep: Keep) {
        if keep.size == 0 {
            return;
        }
        self.weight += publication.weight();
        self.kept.push_back(publication);
        while self.kept.len() > keep.size {
            self.pop();
        }
    }

    /// Lets go of the oldest publication. Says whether there was one.
    pub fn pop(&mut self) -> bool {
        let oldest = self.kept.pop_front();
        self.weight -= oldest.as_ref().map_or(0, |publication| publication.weight());
        oldest.is_some()
    }

    /// Lets go of what is older than `age`.
    pub fn expire(&mut self, now: UnixMillis, age: Duration) {
        let horizon = now.minus_ms(age.as_millis() as u64);
        while self.kept.front().is_some_and(|oldest| oldest.time < horizon) {
            self.pop();
        }
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
    }

    /// The oldest kept offset.
    pub fn first(&self) -> Option<Offset> {
        self.kept.front().map(|publication| publication.position.offset)
    }

    /// When the oldest publication was published.
    pub fn oldest(&self) -> Option<UnixMillis> {
        self.kept.front().map(|publication| publication.time)
    }

    /// The offset before the first publication of `time` or later; the newest offset if all are
    /// earlier, `None` if nothing is kept. Times are taken to rise; where a wall clock jumped
    /// back, the answer errs towards more publications.
    pub fn before(&self, time: UnixMillis) -> Option<Offset> {
        let newest = self.kept.back()?.position.offset;
        let found = self.kept.iter().find(|publication| publication.time >= time);
        Some(found.map_or(newest, |publication| publication.position.offset - 1))
    }

    /// Up to `limit` publications after `offset`, oldest first.
    pub fn after(&self, offset: Offset, limit: usize) -> Vec<Arc<Publication>> {
        self.kept.iter().skip(self.index_after(offset)).take(limit).cloned().collect()
    }

    /// Up to `limit` publications up to and including `offset`, newest first.
    pub fn until(&self, offset: Offset, limit: usize) -> Vec<Arc<Publication>> {
        let end = self.index_after(offset);
        self.kept.iter().take(end).rev().take(limit).cloned().collect()
    }

    /// How much memory they take, nearly.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Where in `kept` the first publication after `offset` is.
    fn index_after(&self, offset: Offset) -> usize {
        let first = self.first().unwrap_or(0);
        let index = offset.saturating_add(1).saturating_sub(first).min(self.kept.len() as u64);
        index as usize
    }
}
