//! A worker's engine, by its address: the half that the worker asks, and the half that talks to a
//! server, if there is one.

use std::pin::Pin;
use std::rc::Rc;

use martlet_core::model::NodeId;
use martlet_core::port::Engine;
use martlet_core::time::Now;
use martlet_engine::memory::MemoryStore;
use martlet_engine::remote::{FarEnd, Inbox, Remote};
use martlet_engine::{nats, redis};

use crate::config::{EngineAddress, Settings};
use crate::random;

/// What works beside a worker for its engine.
pub struct Far {
    /// Where what comes from the server is found.
    pub inbox: Rc<Inbox>,
    /// What talks to it; to be run on the worker's thread.
    pub working: Pin<Box<dyn Future<Output = ()>>>,
}

/// The stores of all workers, with nothing in them, where histories are kept in memory.
pub fn memory_stores(settings: &Settings, now: Now, seed: u64) -> Vec<MemoryStore> {
    let (limits, workers) = (&settings.limits, settings.workers);
    let stores = match settings.engine {
        EngineAddress::Memory => workers,
        _ => 0,
    };
    let channels_max = limits.channels_per_node.div_ceil(workers);
    let store = |_| {
        let store = MemoryStore::new(now, channels_max, random::bits()).with_slots(seed);
        store.with_bytes_max(limits.history_bytes / workers)
    };
    (0..stores).map(store).collect()
}

/// Both halves of a worker's engine. In memory, it is this `store`.
pub fn engine(
    address: &EngineAddress,
    node: NodeId,
    store: Option<MemoryStore>,
) -> (Box<dyn Engine>, Option<Far>) {
    if let Some(store) = store {
        return (Box::new(store), None);
    }
    match address {
        EngineAddress::Memory => unreachable!("every worker has a store"),
        EngineAddress::Redis(settings) => {
            let settings = (**settings).clone().with_seed(random::bits());
            remote(|far| redis::run(settings, node, far))
        }
        EngineAddress::Nats(settings) => {
            let settings = (**settings).clone();
            remote(|far| nats::run(settings, node, far))
        }
    }
}

/// Both halves of an engine on a server.
fn remote<F: Future<Output = ()> + 'static>(
    run: impl FnOnce(FarEnd) -> F,
) -> (Box<dyn Engine>, Option<Far>) {
    let (near, far) = Remote::new();
    let inbox = near.inbox();
    (Box::new(near), Some(Far { inbox, working: Box::pin(run(far)) }))
}
