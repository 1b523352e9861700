//! Redis as real processes: one, and one with a replica that three sentinels watch.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, free_port, until};

/// A Redis with a folder of its own, which a restart finds again.
pub struct Redis {
    process: Option<Process>,
    pub port: u16,
    folder: TempDir,
    options: Vec<String>,
}

impl Redis {
    /// One that keeps nothing over a restart, but for what these options say.
    pub fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = options.iter().map(ToString::to_string).collect();
        let mut redis = Self { process: None, port: free_port(), folder, options };
        redis.begin();
        redis
    }

    /// One that has written everything to its disk that it has answered.
    pub fn durable() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// A copy of this one.
    pub fn replica(&self) -> Self {
        let port = self.port.to_string();
        Self::start(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"])
    }

    /// Starts it, again.
    pub fn begin(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--repl-diskless-sync-delay", "0"]);
        command.arg("--dir").arg(self.folder.path()).args(&self.options);
        self.process = Some(Process::start(&mut command, self.port, &self.log()));
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks it something by its own client.
    pub fn cli(&self, words: &[&str]) -> String {
        cli(self.port, words)
    }

    /// How many nodes it knows to live.
    pub fn nodes(&self) -> usize {
        let key = self.cli(&["--raw", "keys", "*abouts"]);
        self.cli(&["--raw", "hlen", key.trim()]).trim().parse().unwrap_or(0)
    }

    /// Ends its copying for good, although it goes on, and its master too.
    pub fn copy_no_more(&self) {
        // The master knows of no password, and refuses who brings one.
        self.cli(&["config", "set", "masterauth", "wrong"]);
        self.cli(&["client", "kill", "type", "master"]);
    }

    /// Waits until it has a copy of everything that its master has.
    pub async fn in_step(&self) {
        let up = || self.cli(&["info", "replication"]).contains("master_link_status:up");
        until("the replica is in step", async || up()).await;
    }
}

/// Asks a Redis something by its own client.
pub fn cli(port: u16, words: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    let output = command.args(["-p", &port.to_string()]).args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Three sentinels, which find a new master a second after the old one is gone.
pub struct Sentinels {
    _processes: Vec<Process>,
    ports: Vec<u16>,
    _folder: TempDir,
}

impl Sentinels {
    /// Sentinels that watch this master, when they all know each other and its replica.
    pub async fn start(master: &Redis) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<_> = (0..3).map(|_| free_port()).collect();
        let processes = ports.iter().map(|port| {
            let file = folder.path().join(format!("{port}.conf"));
            std::fs::write(&file, configuration(*port, master.port)).unwrap();
            let mut command = Command::new("redis-server");
            command.arg(&file).arg("--sentinel").current_dir(folder.path());
            Process::start(&mut command, *port, &folder.path().join(format!("{port}.log")))
        });
        let processes = processes.collect();
        let sentinels = Self { _processes: processes, ports, _folder: folder };
        until("the sentinels know each other", async || sentinels.acquainted()).await;
        sentinels
    }

    fn acquainted(&self) -> bool {
        self.ports.iter().all(|port| {
            let about = cli(*port, &["sentinel", "master", "birds"]);
            let field = |name: &str| {
                about.lines().skip_while(|line| *line != name).nth(1).unwrap_or_default()
            };
            field("num-other-sentinels") == "2" && field("num-slaves") == "1"
        })
    }

    pub fn address(&self) -> String {
        let hosts: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis-sentinel://{}/birds", hosts.join(","))
    }

    /// Waits until they all say that this is the master.
    pub async fn lead_to(&self, master: &Redis) {
        let port = master.port.to_string();
        let ask = ["sentinel", "get-master-addr-by-name", "birds"];
        let says = |sentinel: &u16| cli(*sentinel, &ask).lines().nth(1) == Some(&port);
        until("the sentinels lead elsewhere", async || self.ports.iter().all(says)).await;
    }
}

fn configuration(port: u16, master: u16) -> String {
    format!(
        "port {port}\nbind 127.0.0.1\n\
         sentinel monitor birds 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds birds 1000\n\
         sentinel failover-timeout birds 5000\n\
         sentinel parallel-syncs birds 1\n"
    )
}
