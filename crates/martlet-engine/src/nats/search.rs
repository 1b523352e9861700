//! Finds a message of a channel among those of a whole stream, whose numbers have holes where
//! other channels' messages are. It asks for nothing itself: it says which number to look at next.

#[cfg(test)]
mod tests;

/// The search for the first message that is not before something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// All messages below this number are before it.
    low: u64,
    /// The first message at or above this number is not.
    high: u64,
}

impl Search {
    /// Among the messages after `low`, which is before it, up to `found`, which is not.
    pub fn new(low: u64, found: u64) -> Self {
        Self { low: low + 1, high: found }
    }

    /// The number at or after which the next message is to be looked at; `None` if the search is
    /// at its end.
    pub fn poll_look(&self) -> Option<u64> {
        (self.low < self.high).then(|| self.low + (self.high - self.low) / 2)
    }

    /// The first message at or after `looked` has this number, and is before it, or not.
    pub fn handle_message(&mut self, looked: u64, sequence: u64, before: bool) {
        if before {
            self.low = self.low.max(sequence + 1);
        } else {
            self.high = looked;
        }
    }
}
