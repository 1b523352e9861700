//! What happens next in a simulated world, in the order of its clock; what is due at the same
//! moment in the order in which it was put down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use martlet_core::time::Instant;

/// What happens to somebody. Whom it is about is a number: of a client, or of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A client sets out.
    Begin,
    /// It has reached a worker, and a session is opened for it.
    Open,
    /// It has shaken hands, and says who it is.
    Connect,
    /// The worker has come to it.
    Serve,
    /// A node begins to let its clients go.
    Drain,
    /// It lets the next ones go.
    Round,
    /// It tells all clients at once that it closes, and ends.
    Stop,
    /// It ends, and all connections with it.
    Kill,
    /// It ends, and nobody is told, not even by its kernel.
    Vanish,
    /// It is there again.
    Rise,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    number: u32,
    what: What,
    who: u32,
}

/// What is to happen.
#[derive(Debug, Default)]
pub struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    number: u32,
}

impl Agenda {
    /// Puts something down.
    pub fn put(&mut self, at: Instant, what: What, who: u32) {
        self.number = self.number.wrapping_add(1);
        self.entries.push(Reverse(Entry { at, number: self.number, what, who }));
    }

    /// What is next.
    pub fn next(&mut self) -> Option<(Instant, What, u32)> {
        let Reverse(entry) = self.entries.pop()?;
        Some((entry.at, entry.what, entry.who))
    }
}

#[cfg(test)]
mod tests;
