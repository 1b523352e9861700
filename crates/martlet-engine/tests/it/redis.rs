//! Redis: one, a master with sentinels, a cluster.

use std::process::Command;
use std::time::Duration;

use martlet_engine::redis::{Settings, run};
use tempfile::TempDir;

use super::server::{Server, free_port, have};
use super::site::Remotes;

mod clocks;
mod contract;
mod faults;
mod members;

/// A Redis with a folder of its own.
pub struct Redis {
    pub server: Option<Server>,
    pub port: u16,
    folder: TempDir,
    more: Vec<String>,
}

impl Redis {
    /// One that keeps nothing over a restart, and is configured like this beyond that.
    pub fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let more = more.iter().map(ToString::to_string).collect();
        let mut redis = Self { server: None, port: free_port(), folder, more };
        redis.begin();
        redis
    }

    /// Starts it, again.
    pub fn begin(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(self.folder.path()).args(&self.more);
        self.server = Some(Server::start(&mut command, self.port));
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// Asks it something by its own client.
    pub fn cli(&self, words: &[&str]) -> String {
        cli(self.port, words)
    }

    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Asks a Redis something by its own client.
pub fn cli(port: u16, words: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    let output = command.args(["-p", &port.to_string()]).args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Engines of this address.
pub fn site(address: &str) -> Remotes {
    let settings = Settings::parse(address).unwrap();
    Remotes::new(move |node, far| {
        let seed = u64::from(node.bits()) << 32 | u64::from(std::process::id());
        Box::pin(run(settings.clone().with_seed(seed), node, far))
    })
}

/// A cluster of three masters.
pub fn cluster() -> Vec<Redis> {
    cluster_of(0)
}

/// A cluster of three masters, each with so many replicas.
pub fn cluster_of(replicas: usize) -> Vec<Redis> {
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let servers: Vec<_> = (0..3 * (1 + replicas)).map(|_| Redis::start(&options)).collect();
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create", "--cluster-replicas", &replicas.to_string()]);
    create.args(servers.iter().map(|server| format!("127.0.0.1:{}", server.port)));
    let created = create.args(["--cluster-yes"]).output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
    let until = std::time::Instant::now() + Duration::from_secs(20);
    let whole = |server: &Redis| server.cli(&["cluster", "info"]).contains("cluster_state:ok");
    while !servers.iter().all(whole) {
        assert!(std::time::Instant::now() < until, "the cluster does not come together");
        std::thread::sleep(Duration::from_millis(50));
    }
    servers
}

/// The address of a cluster.
pub fn cluster_address(servers: &[Redis]) -> String {
    let hosts: Vec<_> = servers.iter().map(|s| format!("127.0.0.1:{}", s.port)).collect();
    format!("redis-cluster://{}", hosts.join(","))
}

/// Whether there is a Redis to test with.
pub fn have_redis(test: &str) -> bool {
    have("redis-server", test) && have("redis-cli", test)
}
