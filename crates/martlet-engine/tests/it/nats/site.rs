//! Engines on NATS for the suite of promises, all on the test's own thread.

use std::rc::Rc;
use std::time::{Duration, Instant as Clock};

use martlet_core::model::{NodeId, UnixMillis};
use martlet_core::port::Engine;
use martlet_core::time::{Instant, Now};
use martlet_engine::nats::{Settings, run};
use martlet_engine::remote::{Inbox, Remote};
use martlet_sim::contract::Site;
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::time::timeout;

/// How long a turn waits for something to come.
const TURN: Duration = Duration::from_millis(2);

pub struct Nats {
    pub runtime: LocalRuntime,
    settings: Settings,
    inboxes: Vec<Rc<Inbox>>,
    begun: Clock,
}

impl Nats {
    pub fn new(settings: Settings) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
        Self { runtime, settings, inboxes: Vec::new(), begun: Clock::now() }
    }

    /// An engine that uses the server another way.
    pub fn engine_with(&mut self, node: u32, settings: Settings) -> Remote {
        let (near, far) = Remote::new();
        self.inboxes.push(near.inbox());
        self.runtime.spawn_local(run(settings, NodeId::new(node), far));
        near
    }
}

impl Site for Nats {
    fn engine(&mut self, node: u32) -> Box<dyn Engine> {
        let settings = self.settings.clone();
        Box::new(self.engine_with(node, settings))
    }

    fn shares(&self) -> bool {
        true
    }

    fn let_work(&mut self) {
        // Those of earlier cases have no other owner any more.
        self.inboxes.retain(|inbox| Rc::strong_count(inbox) > 1);
        let arrived = self.inboxes.iter().map(|inbox| Box::pin(inbox.arrived()));
        let any = futures_util::future::select_all(arrived);
        let _ = self.runtime.block_on(async { timeout(TURN, any).await });
    }

    fn now(&self) -> Now {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let instant = Instant(self.begun.elapsed().as_micros() as u64);
        Now { instant, wall: UnixMillis(wall.as_millis() as u64) }
    }
}
