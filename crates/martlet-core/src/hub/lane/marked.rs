//! Who is to be visited: first those for whom something new came, and between them, now and then,
//! those who have a history to catch up with. When thousands come back at once, the others go on
//! hearing what is new.

use std::collections::VecDeque;

/// After so many of the first kind comes one of the second, so that it comes to its end too.
const PROMPT_MAX: u32 = 3;

/// Marked readers, each kind in the order in which they were marked.
#[derive(Debug, Default)]
pub(super) struct Marked {
    prompt: VecDeque<u32>,
    late: VecDeque<u32>,
    /// How many of the first kind were visited since one of the second.
    visited: u32,
}

impl Marked {
    /// A reader is to be visited.
    pub fn push(&mut self, reader: u32) {
        self.prompt.push_back(reader);
    }

    /// The next one. Those of whom `catches_up` is true take the place of the second kind first.
    pub fn pop(&mut self, mut catches_up: impl FnMut(u32) -> bool) -> Option<u32> {
        while self.visited < PROMPT_MAX || self.late.is_empty() {
            let Some(reader) = self.prompt.pop_front() else { break };
            if !catches_up(reader) {
                self.visited += 1;
                return Some(reader);
            }
            self.late.push_back(reader);
        }
        self.visited = 0;
        self.late.pop_front()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.prompt.is_empty() && self.late.is_empty()
    }
}
