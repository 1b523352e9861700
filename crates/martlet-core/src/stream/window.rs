//! The kept publications of one channel, bounded by number and age. It neither numbers
//! publications nor reads a clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::packed::Packed;
use crate::model::{ChannelName, Namespace, Offset, Position, Publication, UnixMillis};

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

/// What a kept publication takes beside its own bytes, nearly: its entry here, and what is lost
/// between it and the next.
const ENTRY_BYTES: usize = 32;

/// The newest publications of a channel, oldest first, their offsets rising by one.
#[derive(Debug, Clone, Default)]
pub struct Window {
    kept: VecDeque<Packed>,
    /// The channel, and where the newest publication is in it.
    newest: Option<(ChannelName, Position)>,
    weight: usize,
}

impl Window {
    /// Adds the newest publication and lets go of those over the limit.
    pub fn push(&mut self, publication: &Publication, keep: Keep) {
        if keep.size == 0 {
            return;
        }
        let packed = Packed::new(publication);
        self.weight += weight(&packed);
        self.kept.push_back(packed);
        match &mut self.newest {
            Some((_, newest)) => *newest = publication.position,
            none => *none = Some((publication.channel.clone(), publication.position)),
        }
        while self.kept.len() > keep.size {
            self.pop();
        }
    }

    /// Lets go of the oldest publication. Says whether there was one.
    pub fn pop(&mut self) -> bool {
        let oldest = self.kept.pop_front();
        self.weight -= oldest.as_ref().map_or(0, weight);
        oldest.is_some()
    }

    /// Lets go of what is older than `age`.
    pub fn expire(&mut self, now: UnixMillis, age: Duration) {
        let horizon = now.minus_ms(age.as_millis() as u64);
        while self.kept.front().is_some_and(|oldest| oldest.time() < horizon) {
            self.pop();
        }
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
    }

    /// The oldest kept offset.
    pub fn first(&self) -> Option<Offset> {
        let (_, newest) = self.newest.as_ref().filter(|_| !self.kept.is_empty())?;
        Some(newest.offset + 1 - self.kept.len() as u64)
    }

    /// When the oldest publication was published.
    pub fn oldest(&self) -> Option<UnixMillis> {
        self.kept.front().map(Packed::time)
    }

    /// The offset before the first publication of `time` or later; the newest offset if all are
    /// earlier, `None` if nothing is kept. Times are taken to rise; where a wall clock jumped
    /// back, the answer errs towards more publications.
    pub fn before(&self, time: UnixMillis) -> Option<Offset> {
        let first = self.first()?;
        let found = self.kept.iter().position(|publication| publication.time() >= time);
        Some(first - 1 + found.unwrap_or(self.kept.len()) as u64)
    }

    /// Up to `limit` publications after `offset`, oldest first.
    pub fn after(&self, offset: Offset, limit: usize) -> Vec<Arc<Publication>> {
        let from = self.index_after(offset);
        let until = from.saturating_add(limit).min(self.kept.len());
        (from..until).map(|index| self.unpack(index)).collect()
    }

    /// Up to `limit` publications up to and including `offset`, newest first.
    pub fn until(&self, offset: Offset, limit: usize) -> Vec<Arc<Publication>> {
        let end = self.index_after(offset);
        (0..end).rev().take(limit).map(|index| self.unpack(index)).collect()
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

    fn unpack(&self, index: usize) -> Arc<Publication> {
        let (channel, newest) = self.newest.as_ref().expect("nothing is kept without a place");
        let offset = newest.offset + 1 + index as u64 - self.kept.len() as u64;
        Arc::new(self.kept[index].unpack(channel, Position { offset, ..*newest }))
    }

    /// Where in `kept` the first publication after `offset` is.
    fn index_after(&self, offset: Offset) -> usize {
        let first = self.first().unwrap_or(0);
        let index = offset.saturating_add(1).saturating_sub(first).min(self.kept.len() as u64);
        index as usize
    }
}

fn weight(publication: &Packed) -> usize {
    publication.len() + ENTRY_BYTES
}
