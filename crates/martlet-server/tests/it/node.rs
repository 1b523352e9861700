//! A node of this process on a port of its own, and what a backend does to it.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use martlet_client::{Api, Appended, Message};
use martlet_server::config::{Config, Options, Settings};
use martlet_server::drain::Plan;
use martlet_server::node::Node;
use serde_json::{Value, json};

/// Longer than anything takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that comes.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("{what} did not come in {PATIENCE:?}"))
}

/// A node that ends with its test.
pub struct TestNode {
    node: Option<Node>,
    pub address: SocketAddr,
    scheme: &'static str,
}

impl TestNode {
    /// A node where everybody may do everything, as `change` says beyond that. It has three
    /// workers, so that publisher, owner and readers are on different threads.
    pub fn open(change: impl FnOnce(&mut Options)) -> Self {
        let mut config = Config::development();
        config.options.server.workers = 3;
        config.options.limits.commands_per_second = 1_000_000;
        config.options.limits.commands_burst = 1_000_000;
        change(&mut config.options);
        Self::start(config)
    }

    /// A node with a configuration of its own.
    pub fn configured(text: &str) -> Self {
        let config = Config::parse(text, Path::new("martlet.toml"));
        let mut config = config.unwrap_or_else(|errors| panic!("{errors:?}"));
        config.options.server.workers = 2;
        Self::start(config)
    }

    fn start(mut config: Config) -> Self {
        config.options.server.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        Self::of(&config.check().unwrap_or_else(|errors| panic!("{errors:?}")))
    }

    /// A node with these settings.
    pub fn of(settings: &Settings) -> Self {
        let node = Node::start(settings).unwrap();
        let address = node.addresses()[0];
        let scheme = if node.encrypted() { "https" } else { "http" };
        Self { node: Some(node), address, scheme }
    }

    /// The address that clients are given.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The same by its address only: the test sees to its end.
    pub fn remembered(&self) -> Self {
        Self { node: None, address: self.address, scheme: self.scheme }
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// Stops the node as a signal does; says how many clients had not gone.
    pub async fn stop(mut self, grace: Duration) -> usize {
        self.node.take().unwrap().stop(grace).await
    }

    /// Drains the node by a plan; says how many clients had not gone.
    pub async fn drain(mut self, plan: Plan) -> usize {
        self.node.take().unwrap().drain(plan).await
    }

    /// The backend's side, with a key if there is one.
    pub fn api(&self, key: Option<&str>) -> Api {
        Api::new(&self.url(), key).unwrap()
    }

    pub fn backend(&self) -> Backend {
        Backend { api: self.api(None) }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        let Some(node) = self.node.take() else { return };
        // A test's own runtime may be gone already, and must not be waited in.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(node.stop(Duration::ZERO));
        });
    }
}

/// Publishes numbers: each is also its publication's offset, as long as nobody else publishes.
#[derive(Clone)]
pub struct Backend {
    api: Api,
}

/// The publication `n` of `channel`, of at least `bytes` bytes.
pub fn numbered(channel: &str, n: u64, bytes: usize) -> Value {
    match bytes {
        0 => json!({"c": channel, "n": n}),
        _ => json!({"c": channel, "n": n, "pad": noise(n, bytes)}),
    }
}

/// Letters that hardly compress, different for each `seed`.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state >> 33) as u8 % 64)
    };
    (0..bytes).map(|_| next()).map(|c| if c == '\\' { '~' } else { c }).collect()
}

impl Backend {
    pub async fn publish(&self, channel: &str, n: u64) -> Appended {
        let message = Message::json(&numbered(channel, n, 0)).unwrap();
        let appended = soon("a receipt", self.api.publish(channel, message)).await.unwrap();
        assert_eq!(appended.position.offset, n, "the number of a publication is its offset");
        appended
    }

    /// Publishes the numbers `from..=to`, many in one request.
    pub async fn publish_all(&self, channel: &str, from: u64, to: u64) {
        self.publish_large(channel, from, to, 0).await;
    }

    /// The same, each of at least `bytes` bytes.
    pub async fn publish_large(&self, channel: &str, from: u64, to: u64, bytes: usize) {
        let at_once = if bytes > 0 { 8 } else { 100 };
        let mut next = from;
        while next <= to {
            let last = to.min(next + at_once - 1);
            let message = |n| Message::json(&numbered(channel, n, bytes)).unwrap();
            let batch = (next..=last).map(|n| (channel, message(n))).collect();
            let results = soon("receipts", self.api.batch(batch)).await.unwrap();
            for (n, result) in (next..).zip(results) {
                assert_eq!(result.unwrap().position.offset, n);
            }
            next = last + 1;
        }
    }
}
