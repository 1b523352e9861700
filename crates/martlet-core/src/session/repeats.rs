//! Which commands came by requests of their own, so that a request which is made again, by a
//! client that did not hear its answer or by a proxy, does nothing twice.

use std::collections::VecDeque;

#[cfg(test)]
mod tests;

/// How many commands are remembered: more than one request can hold, and a request is made again
/// before others follow it.
const REMEMBERED: usize = 512;

/// The numbers of the latest commands. Owns no memory until there is one, and one word of its
/// session: most sessions never have any.
#[derive(Debug, Default)]
pub struct Repeats(Option<Box<Known>>);

#[derive(Debug, Default)]
struct Known {
    numbers: VecDeque<u32>,
}

impl Repeats {
    /// Whether a command with this number is new. One without a number (0) always is.
    pub fn admit(&mut self, id: u32) -> bool {
        if id == 0 {
            return true;
        }
        let known = &mut self.0.get_or_insert_default().numbers;
        if known.contains(&id) {
            return false;
        }
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back(id);
        true
    }
}
