//! Many coarse deadlines at a few bytes each: a wheel of slots.
//!
//! A key fires at or shortly after its deadline, never before. Deadlines that move are not
//! looked for in the wheel: the owner lets the old entry fire, sees that it is too early, and
//! sets the new one. That makes moving a heartbeat, which happens with every message, free.

use std::time::Duration;

use super::Instant;

#[cfg(test)]
mod tests;

/// Keys by deadline, to a granularity of one slot.
#[derive(Debug)]
pub struct Wheel<K> {
    slots: Vec<Vec<(Instant, K)>>,
    slot: Duration,
    /// The first slot number that has not fired.
    next: u64,
    len: usize,
}

impl<K> Wheel<K> {
    /// A wheel of `slots` slots of `slot` each, beginning at `now`. Deadlines farther than one
    /// turn are kept and passed over.
    pub fn new(now: Instant, slot: Duration, slots: usize) -> Self {
        let mut wheel = Self { slots: Vec::new(), slot, next: 0, len: 0 };
        wheel.slots.resize_with(slots.max(1), Vec::new);
        wheel.next = wheel.slot_of(now);
        wheel
    }

    /// Sets a deadline. One in the past fires at the next chance.
    pub fn insert(&mut self, deadline: Instant, key: K) {
        let number = self.slot_of(deadline).saturating_add(1).max(self.next);
        let index = (number % self.slots.len() as u64) as usize;
        self.slots[index].push((deadline, key));
        self.len += 1;
    }

    /// Takes out the keys that are due, into `due`.
    pub fn handle_timeout(&mut self, now: Instant, due: &mut Vec<K>) {
        let current = self.slot_of(now);
        let turns = (current + 1).saturating_sub(self.next).min(self.slots.len() as u64);
        for number in current + 1 - turns..=current {
            let index = (number % self.slots.len() as u64) as usize;
            let early = due.len();
            let slot = std::mem::take(&mut self.slots[index]);
            for (deadline, key) in slot {
                if deadline <= now {
                    due.push(key);
                } else {
                    self.slots[index].push((deadline, key));
                }
            }
            self.len -= due.len() - early;
        }
        self.next = self.next.max(current + 1);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` while it is empty.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.len > 0).then(|| Instant(self.next * self.slot_micros()))
    }

    fn slot_micros(&self) -> u64 {
        (self.slot.as_micros() as u64).max(1)
    }

    fn slot_of(&self, instant: Instant) -> u64 {
        instant.0 / self.slot_micros()
    }
}
