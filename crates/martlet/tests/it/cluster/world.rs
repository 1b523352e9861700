//! Nodes of one cluster as people run them: the built program, with one configuration and one
//! engine, and HAProxy before them that sends each request to the next.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::http::Ask;
use super::process::{Process, free_port, local, until};
use super::proxy::Proxy;
use crate::program::MARTLET;

/// The key of the backend.
pub const KEY: &str = "a key of the backend";

/// The secret of the application's tokens.
pub const SECRET: &str = "a secret that nobody but these tests knows";

/// What every node is told: everybody may do everything, and silence is soon noticed.
pub const CONFIGURATION: &str = r#"
[heartbeat]
ping = "1s"
pong = "1s"

[channels.default]
history_size = 50000
history_age = "10m"
presence = true
join_leave = true
presence_grace = "4s"
subscribe = "anyone"
publish = "anyone"
history = "anyone"
see_presence = "anyone"

[[auth.tokens]]
secret = "a secret that nobody but these tests knows"

[[api.keys]]
name = "backend"
sha256 = "591f4723d9cc16a5fc0abfaaa69af30abaf2b78099a33a955835e30472c44bc1"
scopes = ["all"]
"#;

/// One node.
pub struct Node {
    process: Option<Process>,
    pub port: u16,
    engine: String,
    folder: PathBuf,
    /// What it is told beside the configuration, as `key=value`.
    settings: Vec<String>,
}

impl Node {
    fn new(engine: &str, folder: &Path, settings: &[&str]) -> Self {
        let (engine, folder, port) = (engine.to_owned(), folder.to_owned(), free_port());
        let own = |setting: &&str| setting.replace("PORT", &port.to_string());
        let settings = settings.iter().map(own).collect();
        let mut node = Self { process: None, port, engine, folder, settings };
        node.begin();
        node
    }

    /// Starts it, again.
    pub fn begin(&mut self) {
        let mut command = Command::new(MARTLET);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MARTLET_") {
                command.env_remove(name);
            }
        }
        command.arg("serve").arg("--config").arg(self.folder.join("martlet.toml"));
        command.args(["--listen", &self.address().to_string(), "--engine", &self.engine]);
        command.args(["--set", "server.workers=2"]);
        self.settings.iter().for_each(|setting| _ = command.args(["--set", setting]));
        let log = self.folder.join(format!("{}.log", self.port));
        self.process = Some(Process::start(&mut command, self.port, &log));
    }

    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.terminate();
        until("the node stops", async || process.ended()).await;
    }

    /// What `/ready` answers.
    pub async fn ready(&self) -> u16 {
        let asked = Ask::get("/ready").json(self.address()).await;
        asked.map_or(0, |(status, _)| status)
    }
}

/// A cluster.
pub struct World {
    pub nodes: Vec<Node>,
    pub proxy: Proxy,
    _folder: TempDir,
}

impl World {
    /// So many nodes at this engine, ready, behind HAProxy with the configuration of `deploy/`.
    pub async fn start(engine: &str, nodes: usize) -> Self {
        Self::with(engine, nodes, &[]).await
    }

    /// The same, where each node is told more, as `key=value`; `PORT` stands for its own.
    pub async fn with(engine: &str, nodes: usize, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("martlet.toml"), CONFIGURATION).unwrap();
        let nodes: Vec<_> =
            (0..nodes).map(|_| Node::new(engine, folder.path(), settings)).collect();
        let ports: Vec<_> = nodes.iter().map(|node| node.port).collect();
        let proxy = Proxy::haproxy("haproxy.cfg", &ports);
        let world = Self { nodes, proxy, _folder: folder };
        world.ready().await;
        world
    }

    /// Waits until every node is ready.
    pub async fn ready(&self) {
        for node in &self.nodes {
            until("the node is ready", async || node.ready().await == 200).await;
        }
    }

    /// The nodes' own addresses.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Node::url).collect()
    }

    /// Where HAProxy listens.
    pub fn front(&self) -> SocketAddr {
        self.proxy.address()
    }
}
