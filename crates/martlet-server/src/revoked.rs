//! Users whose grants were taken back: whoever the backend has disconnected for good does not
//! come back with a grant from before, only with a new token.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use martlet_core::model::{UnixMillis, UserId};
use martlet_core::session::Grant;

/// For every such user, since when grants are good again.
#[derive(Debug)]
pub struct Revoked {
    lifetime: Duration,
    users: Mutex<HashMap<UserId, UnixMillis, foldhash::fast::RandomState>>,
}

impl Revoked {
    /// Nobody. Entries are kept for the `lifetime` of grants; after it none is left to refuse.
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, users: Mutex::default() }
    }

    /// Takes back every grant of `user` made until `at`.
    pub fn revoke(&self, user: UserId, at: UnixMillis) {
        let horizon = at.minus_ms(self.lifetime.as_millis() as u64);
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, since| *since >= horizon);
        users.insert(user, at);
    }

    /// Whether a grant still stands.
    pub fn stands(&self, grant: &Grant) -> bool {
        let Some(user) = &grant.identity.user else { return true };
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(user).is_none_or(|since| grant.issued > *since)
    }
}
