//! Idempotency keys and what was published under them, for a while and within a limit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use martlet_core::model::{ChannelName, Data, Draft, Publication};
use martlet_core::time::Instant;

/// How long a repeat is recognised.
const KEPT: Duration = Duration::from_secs(300);

/// The most keys of one store; the oldest go first.
const KEYS_MAX: usize = 200_000;

/// What is known of a publication once its history has let it go: a key is no reason to hold data.
fn receipt(publication: &Publication) -> Publication {
    Publication {
        channel: publication.channel.clone(),
        id: publication.id,
        position: publication.position,
        time: publication.time,
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        data: Data::Json(Bytes::new()),
    }
}

type Key = (ChannelName, Box<str>);

#[derive(Debug)]
pub(super) struct Keys {
    published: HashMap<Key, Arc<Publication>, foldhash::quality::FixedState>,
    order: VecDeque<(Instant, Key)>,
    random: u64,
}

impl Keys {
    pub fn new(random: u64) -> Self {
        let hasher = foldhash::quality::FixedState::with_seed(random);
        Self { published: HashMap::with_hasher(hasher), order: VecDeque::new(), random }
    }

    /// The store's own random bits, which make its ids unlike those of other stores.
    pub fn random(&self) -> u64 {
        self.random
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// What was published under the draft's key already.
    pub fn find(&mut self, draft: &Draft, now: Instant) -> Option<Arc<Publication>> {
        let key = draft.idempotency_key.clone()?;
        self.expire(now);
        self.published.get(&(draft.channel.clone(), key)).cloned()
    }

    pub fn keep(&mut self, key: Box<str>, publication: &Publication, now: Instant) {
        self.keep_until(now.after(KEPT), key, receipt(publication));
    }

    /// Keeps a receipt that is no longer kept than those before it.
    pub fn keep_until(&mut self, until: Instant, key: Box<str>, receipt: Publication) {
        if self.order.len() >= KEYS_MAX {
            self.pop();
        }
        let key = (receipt.channel.clone(), key);
        self.order.push_back((until, key.clone()));
        self.published.insert(key, Arc::new(receipt));
    }

    /// What is kept at a place in the order in which it will be let go: until when, the key, and
    /// the receipt.
    pub fn at(&self, index: usize) -> Option<(Instant, &str, &Publication)> {
        let (until, key) = self.order.get(index)?;
        Some((*until, &key.1, self.published.get(key)?))
    }

    pub fn expire(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.published.remove(&key);
        }
    }
}
