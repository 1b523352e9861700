//! Users and clients whose grants were taken back: whoever the backend has disconnected for good
//! does not come back with a grant from before, only with a new token.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use martlet_core::model::UnixMillis;
use martlet_core::session::Grant;

use crate::mail::Whom;

#[cfg(test)]
mod tests;

/// How many there are at least before it is looked for those that may be forgotten.
const FEW: usize = 1_024;

/// For each of them, since when grants are good again.
#[derive(Debug)]
pub struct Revoked {
    lifetime: Duration,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    since: HashMap<Whom, UnixMillis, foldhash::fast::RandomState>,
    /// With so many it is time to look for those that may be forgotten.
    many: usize,
}

impl Revoked {
    /// Nobody. Entries are kept for the `lifetime` of grants; after it none is left to refuse.
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, taken: Mutex::default() }
    }

    /// Takes back every grant of `whom` made until `at`.
    pub fn revoke(&self, whom: Whom, at: UnixMillis) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.since.insert(whom, at);
        if taken.since.len() > taken.many.max(FEW) {
            let horizon = at.minus_ms(self.lifetime.as_millis() as u64);
            taken.since.retain(|_, since| *since >= horizon);
            taken.many = taken.since.len() * 2;
        }
    }

    /// Everyone whose grants were taken back, and when.
    pub fn all(&self) -> Vec<(Whom, UnixMillis)> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.since.iter().map(|(whom, since)| (whom.clone(), *since)).collect()
    }

    /// Whether a grant still stands.
    pub fn stands(&self, grant: &Grant) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |whom: &Whom| taken.since.get(whom).is_none_or(|since| grant.issued > *since);
        let user = grant.identity.user.clone().map(Whom::User);
        good(&Whom::Client(grant.client)) && user.as_ref().is_none_or(good)
    }
}
