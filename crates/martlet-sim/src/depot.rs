//! A store as the nodes see it: the questions on their way to it, and whether it can be reached.

use std::collections::BTreeMap;

use martlet_core::model::ChannelName;
use martlet_core::port::{Range, Read, Store, StoreError, StoreReply, StoreRequest, StoreTicket};
use martlet_core::stream::{Extent, Keep};
use martlet_core::time::{Instant, Now};
use martlet_engine::memory::MemoryStore;

use crate::shelf::Shelf;
use crate::transition::Place;

/// What is in it.
enum Kind {
    /// A made-up store that all nodes share.
    Shelf(Shelf),
    /// A node's own store, the real one.
    Memory(Option<Box<MemoryStore>>, u64),
}

/// A store.
pub struct Depot {
    kind: Kind,
    /// Whether it fails at everything.
    pub failing: bool,
    /// Questions on their way.
    pub asked: BTreeMap<u64, (Place, StoreTicket, StoreRequest)>,
    /// When the last question of each worker arrives: they arrive in order.
    pub last: BTreeMap<(usize, u16), Instant>,
    numbers: u64,
}

impl Depot {
    /// A store shared by all nodes, or a node's own.
    pub fn new(shared: bool, seed: u64) -> Self {
        let kind = if shared { Kind::Shelf(Shelf::default()) } else { Kind::Memory(None, seed) };
        Self { kind, failing: false, asked: BTreeMap::new(), last: BTreeMap::new(), numbers: 0 }
    }

    /// Keeps a question until it arrives; gives its number.
    pub fn keep(&mut self, place: Place, ticket: StoreTicket, request: StoreRequest) -> u64 {
        self.numbers += 1;
        self.asked.insert(self.numbers, (place, ticket, request));
        self.numbers
    }

    /// Answers a question.
    pub fn answer(&mut self, now: Now, request: StoreRequest) -> StoreReply {
        if self.failing {
            return StoreReply::Failed(StoreError::Unavailable);
        }
        let store: &mut dyn Store = match &mut self.kind {
            Kind::Shelf(shelf) => shelf,
            Kind::Memory(memory, seed) => memory
                .get_or_insert_with(|| Box::new(MemoryStore::new(now, 10_000, *seed)))
                .as_mut(),
        };
        store.handle_timeout(now);
        store.submit(now, StoreTicket(0), request);
        let reply = store.poll_reply().map(|(_, reply)| reply);
        reply.unwrap_or(StoreReply::Failed(StoreError::Unavailable))
    }

    /// What there is of a channel, as anybody would be told.
    pub fn extent(&mut self, now: Now, channel: &ChannelName, keep: Keep) -> Option<Extent> {
        let read = Read { channel: channel.clone(), range: Range::After(0), limit: 0, keep };
        let failing = std::mem::take(&mut self.failing);
        let reply = self.answer(now, StoreRequest::Read(read));
        self.failing = failing;
        match reply {
            StoreReply::Page(page) => Some(page.extent),
            _ => None,
        }
    }

    /// The node whose own store this is has crashed: everything in it is gone.
    pub fn forget_all(&mut self, seed: u64) {
        if let Kind::Memory(memory, old) = &mut self.kind {
            (*memory, *old) = (None, seed);
        }
    }

    /// The made-up store, if it is that.
    pub fn shelf(&mut self) -> Option<&mut Shelf> {
        match &mut self.kind {
            Kind::Shelf(shelf) => Some(shelf),
            Kind::Memory(..) => None,
        }
    }
}
