//! A node of this process, as a stranger finds it: with the limits it has by default.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use martlet_server::config::{Config, Options};
use martlet_server::node::Node;

use crate::raw::Raw;

/// Longer than anything takes that is to happen; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A node that ends with its test.
pub struct Victim {
    node: Option<Node>,
    pub address: SocketAddr,
}

impl Victim {
    /// A node in development mode.
    pub fn open() -> Self {
        Self::with(|_| {})
    }

    /// The same, changed.
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut config = Config::development();
        change(&mut config.options);
        Self::start(config)
    }

    /// A node with a configuration of its own.
    pub fn configured(text: &str) -> Self {
        let config = Config::parse(text, Path::new("martlet.toml"));
        Self::start(config.unwrap_or_else(|errors| panic!("{errors:?}")))
    }

    fn start(mut config: Config) -> Self {
        config.options.server.workers = 2;
        config.options.server.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let settings = config.check().unwrap_or_else(|errors| panic!("{errors:?}"));
        let node = Node::start(&settings).unwrap();
        Self { address: node.addresses()[0], node: Some(node) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One count of `/metrics`.
    pub fn count(&self, name: &str) -> u64 {
        let text = Raw::get(self.address, "/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("martlet_{name} ")));
        line.unwrap_or_else(|| panic!("there is no {name} in {text}")).parse().unwrap()
    }

    /// Waits until a count of `/metrics` has come down to `value` or below.
    pub fn until_count(&self, name: &str, value: u64) {
        let begun = Instant::now();
        while self.count(name) > value {
            assert!(begun.elapsed() < PATIENCE, "{name} stays at {}", self.count(name));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let node = self.node.take().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(node.stop(Duration::ZERO));
    }
}
