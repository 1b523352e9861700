//! A thread's runtime with far halves in it, for near halves that are used from outside of it.

use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use martlet_core::model::{NodeId, UnixMillis};
use martlet_core::port::Engine;
use martlet_core::time::{Instant, Now};
use martlet_engine::remote::{FarEnd, Remote};
use martlet_sim::contract::Site;
use tokio::runtime::{LocalOptions, LocalRuntime};

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long far halves work in one go.
const SLICE: Duration = Duration::from_millis(2);

/// What makes a far half.
type Makes = Box<dyn Fn(NodeId, FarEnd) -> Pin<Box<dyn Future<Output = ()>>>>;

/// The runtime.
pub struct Remotes {
    runtime: Rc<LocalRuntime>,
    makes: Makes,
    mark: u32,
    begun: std::time::Instant,
}

impl Remotes {
    /// Engines whose far halves `makes` makes.
    pub fn new(
        makes: impl Fn(NodeId, FarEnd) -> Pin<Box<dyn Future<Output = ()>>> + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        let makes: Makes = Box::new(makes);
        let begun = std::time::Instant::now();
        Self { runtime: Rc::new(runtime.unwrap()), makes, mark: std::process::id(), begun }
    }

    /// What tells the time.
    pub fn clock(&self) -> impl Fn() -> Now + use<> {
        let begun = self.begun;
        move || now(begun)
    }
}

fn now(begun: std::time::Instant) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let instant = Instant(begun.elapsed().as_micros() as u64);
    Now { instant, wall: UnixMillis(wall) }
}

impl Site for Remotes {
    fn engine(&mut self, node: u32) -> Box<dyn Engine> {
        let (near, far) = Remote::new();
        let working = (self.makes)(NodeId::new(node), far);
        let beginning = async { drop(tokio::task::spawn_local(working)) };
        self.runtime.block_on(beginning);
        Box::new(near)
    }

    fn shares(&self) -> bool {
        true
    }

    fn let_work(&mut self) {
        self.runtime.block_on(async { tokio::time::sleep(SLICE).await });
    }

    fn now(&self) -> Now {
        now(self.begun)
    }

    fn mark(&self) -> u32 {
        self.mark
    }
}

/// Lets everybody work until there is something.
pub fn wait<T>(site: &mut Remotes, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < until, "{what} did not come in {PATIENCE:?}");
        site.let_work();
    }
}
