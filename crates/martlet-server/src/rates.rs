//! The rates at which users publish, over all of a user's connections to this node.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use martlet_core::model::{Limits, UserId};
use martlet_core::time::{Instant, Rate};

/// How many users a part remembers before it forgets those who are quiet.
const REMEMBERED: usize = 4_096;

/// In how many parts the table is locked.
const PARTS: usize = 32;

/// What remains of every user's allowance.
#[derive(Debug)]
pub struct UserRates {
    per_second: u32,
    burst: u32,
    hasher: foldhash::fast::RandomState,
    parts: Vec<Mutex<HashMap<UserId, Rate, foldhash::fast::RandomState>>>,
}

impl UserRates {
    /// Nobody has published yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            per_second: limits.user_publications_per_second,
            burst: limits.user_publications_burst,
            hasher: foldhash::fast::RandomState::default(),
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes one publication from a user's allowance, or says how long to wait for one.
    pub fn take(&self, now: Instant, user: &UserId) -> Result<(), Duration> {
        use std::hash::BuildHasher as _;
        if self.per_second == 0 {
            return Ok(());
        }
        let part = self.hasher.hash_one(user) as usize % PARTS;
        let mut users = self.parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= REMEMBERED {
            users.retain(|_, rate| !rate.whole(now));
        }
        users.entry(user.clone()).or_default().take(now, self.per_second, self.burst)
    }
}
