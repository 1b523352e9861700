//! The lists by which sessions are found, made like those of the server's worker
//! (`martlet-server` `worker/sessions.rs`), so that they weigh the same and cost the same.

use std::hash::BuildHasher as _;

use hashbrown::{HashMap, HashTable};
use martlet_core::hub::ReaderKey;
use martlet_core::model::{ClientId, UserId};
use martlet_core::session::Session;
use martlet_core::time::{Instant, Wheel};

use crate::memory::freed;

/// A session, and which of those that had its place.
pub type SessionIndex = (u32, u32);

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The lists.
pub struct Index {
    by_client: HashTable<SessionIndex>,
    by_user: Map<UserId, Vec<SessionIndex>>,
    by_reader: Vec<Option<SessionIndex>>,
    wheel: Wheel<SessionIndex>,
}

impl Index {
    pub fn new(now: Instant) -> Self {
        Self {
            by_client: HashTable::new(),
            by_user: Map::default(),
            by_reader: Vec::new(),
            wheel: Wheel::new(now, std::time::Duration::from_millis(250), 480),
        }
    }

    pub fn insert(&mut self, index: SessionIndex, reader: ReaderKey) {
        let slot = reader.0 as usize;
        if self.by_reader.len() <= slot {
            self.by_reader.resize(slot + 1, None);
        }
        self.by_reader[slot] = Some(index);
    }

    /// The client was let in. `client_of` knows the names of those that were let in before.
    pub fn list(
        &mut self,
        index: SessionIndex,
        session: &Session,
        client_of: impl Fn(&SessionIndex) -> ClientId,
    ) {
        let hash = |client: ClientId| foldhash::fast::FixedState::default().hash_one(client);
        let known = hash(session.client());
        self.by_client.insert_unique(known, index, |listed| hash(client_of(listed)));
        if let Some(user) = session.identity().user.clone() {
            self.by_user.entry(user).or_default().push(index);
        }
    }

    pub fn by_reader(&self, reader: ReaderKey) -> Option<SessionIndex> {
        self.by_reader.get(reader.0 as usize).copied().flatten()
    }

    pub fn arm(&mut self, at: Instant, index: SessionIndex) {
        self.wheel.insert(at, index);
    }

    pub fn take_due(&mut self, now: Instant) -> Vec<SessionIndex> {
        let mut due = Vec::new();
        self.wheel.handle_timeout(now, &mut due);
        due
    }

    /// Lets it all go; says what each list weighed.
    pub fn weigh(self) -> [(&'static str, usize); 3] {
        let Self { by_client, by_user, by_reader, wheel } = self;
        [
            ("  found by its client", freed(by_client)),
            ("  found by its user", freed(by_user)),
            ("  found by its reader, and its deadline", freed((by_reader, wheel))),
        ]
    }
}
