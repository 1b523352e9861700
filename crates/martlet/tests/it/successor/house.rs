//! One address, where one node after the other serves. The program is started by a link, so that
//! another may be put in its place.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::http::Ask;
use crate::cluster::process::{Process, free_port, local, until};
use crate::cluster::world::{CONFIGURATION, KEY};
use crate::program::MARTLET;

/// The node that serves, and those before it.
pub struct House {
    first: Process,
    port: u16,
    folder: TempDir,
    /// Those that were started as successors, to be ended with the test.
    heirs: Vec<u32>,
}

impl House {
    pub fn open() -> Self {
        Self::open_with(|_, _| {})
    }

    /// The same, started a little otherwise: `change` gets the command and a folder.
    pub fn open_with(change: impl FnOnce(&mut Command, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        std::fs::write(folder.path().join("martlet.toml"), CONFIGURATION).unwrap();
        symlink(MARTLET, folder.path().join("martlet")).unwrap();
        let mut command = Command::new(folder.path().join("martlet"));
        without_variables(&mut command);
        command.args(["serve", "--config", "martlet.toml", "--set", "server.workers=2"]);
        command.args(["--listen", &local(port).to_string()]).current_dir(folder.path());
        change(&mut command, folder.path());
        let first = Process::start(&mut command, port, &folder.path().join("log"));
        Self { first, port, folder, heirs: Vec::new() }
    }

    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn said(&self) -> String {
        self.first.said()
    }

    /// How often something was said.
    pub fn times(&self, what: &str) -> usize {
        self.said().matches(what).count()
    }

    /// The process that serves now.
    pub fn serving(&self) -> u32 {
        self.heirs.last().copied().unwrap_or_else(|| self.first.id())
    }

    /// Puts another program in the place of this one.
    pub fn replace_program(&self, text: Option<&str>) {
        let path = self.file("martlet");
        std::fs::remove_file(&path).unwrap();
        match text {
            Some(text) => {
                std::fs::write(&path, text).unwrap();
                let made = Command::new("chmod").arg("+x").arg(&path).status().unwrap();
                assert!(made.success());
            }
            None => symlink(MARTLET, &path).unwrap(),
        }
    }

    /// Sends the node that serves a signal.
    pub fn signal(&self, signal: &str) {
        kill(signal, self.serving());
    }

    /// Has it hand over, and waits until its successor serves.
    pub async fn hand_over(&mut self) {
        let before = self.times("a successor serves");
        self.signal("-USR2");
        until("a successor serves", async || self.times("a successor serves") > before).await;
        self.heirs.extend(processes(&self.said(), "a successor serves").pop());
    }

    /// Has it try, and waits until there is none.
    pub async fn hand_over_in_vain(&self) {
        let before = self.times("this node goes on");
        self.signal("-USR2");
        until("there is no successor", async || self.times("this node goes on") > before).await;
    }

    /// The offset at which a publication is accepted, by the API, as long as one asks.
    pub async fn publish(&self, channel: &str, key: &str) -> u64 {
        let body = format!(r#"{{"channel":"{channel}","data":{{"n":1}},"key":"{key}"}}"#);
        let authorization = format!("Bearer {KEY}");
        let mut offset = None;
        until("it is published", async || {
            let ask = Ask::post("/v1/publish", &body);
            let ask = ask.with(&[("Authorization", &authorization)]).json(self.address()).await;
            offset = ask.ok().and_then(|(_, receipt)| receipt["offset"].as_u64());
            offset.is_some()
        })
        .await;
        offset.unwrap()
    }

    /// What is in a channel's history.
    pub async fn history(&self, channel: &str) -> Value {
        let authorization = format!("Bearer {KEY}");
        let path = format!("/v1/channels/{channel}/history?limit=1000");
        let headers = [("Authorization", authorization.as_str())];
        Ask::get(&path).with(&headers).json(self.address()).await.unwrap().1
    }

    pub fn first_mut(&mut self) -> &mut Process {
        &mut self.first
    }

    /// A process that is to be ended with the test.
    pub fn mind(&mut self, process: u32) {
        self.heirs.push(process);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for heir in &self.heirs {
            // Most have ended already.
            let _ = Command::new("kill").args(["-KILL", &heir.to_string()]).output();
        }
    }
}

/// None of the variables that the program listens to.
pub fn without_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MARTLET_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NOTIFY_SOCKET").env_remove("LISTEN_FDS");
}

pub fn kill(signal: &str, process: u32) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(sent.success(), "kill {signal} {process}");
}

/// Whether a process runs. One that has ended and was not fetched does not.
pub fn runs(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// The processes that are named where this was said.
pub fn processes(log: &str, what: &str) -> Vec<u32> {
    let lines = log.lines().filter(|line| line.contains(what));
    let number = |line: &str| {
        let (_, number) = line.split_once("process=")?;
        number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    lines.filter_map(number).collect()
}
