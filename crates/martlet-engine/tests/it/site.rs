//! A thread's runtime with far halves in it, for near halves that are used from outside of it.

use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use martlet_core::model::{NodeId, UnixMillis};
use martlet_core::port::{Engine, News, StoreReply, StoreRequest, StoreTicket};
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

    /// Runs something in the runtime, far halves beside it.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Site for Remotes {
    fn engine(&mut self, node: u32) -> Box<dyn Engine> {
        let (near, far) = Remote::new();
        let working = (self.makes)(NodeId::new(node), far);
        self.runtime.block_on(async { tokio::task::spawn_local(working) });
        Box::new(near)
    }

    fn shares(&self) -> bool {
        true
    }

    fn let_work(&mut self) {
        self.runtime.block_on(async { tokio::time::sleep(SLICE).await });
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let instant = Instant(self.begun.elapsed().as_micros() as u64);
        Now { instant, wall: UnixMillis(wall) }
    }

    fn mark(&self) -> u32 {
        self.mark
    }
}

/// One engine, asked and listened to by a test.
pub struct Desk {
    pub engine: Box<dyn Engine>,
    tickets: u64,
    replies: Vec<(StoreTicket, StoreReply)>,
    pub news: Vec<News>,
}

impl Desk {
    /// The engine of a node.
    pub fn new(site: &mut Remotes, node: u32) -> Self {
        Self { engine: site.engine(node), tickets: 0, replies: Vec::new(), news: Vec::new() }
    }

    /// Asks, and does not wait.
    pub fn ask(&mut self, now: Now, request: StoreRequest) -> StoreTicket {
        self.tickets += 1;
        self.engine.submit(now, StoreTicket(self.tickets), request);
        self.engine.flush();
        StoreTicket(self.tickets)
    }

    /// Takes in what has come.
    pub fn take_in(&mut self) {
        while let Some(reply) = self.engine.poll_reply() {
            self.replies.push(reply);
        }
        while let Some(news) = self.engine.poll_news() {
            self.news.push(news);
        }
    }

    /// The answer to a question, if it has come.
    pub fn answer(&mut self, ticket: StoreTicket) -> Option<StoreReply> {
        self.take_in();
        let index = self.replies.iter().position(|(of, _)| *of == ticket)?;
        Some(self.replies.swap_remove(index).1)
    }

    /// Asks, and waits for the answer.
    pub fn asked(&mut self, site: &mut Remotes, request: StoreRequest) -> StoreReply {
        let ticket = self.ask(site.now(), request);
        wait(site, "an answer", || self.answer(ticket))
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
