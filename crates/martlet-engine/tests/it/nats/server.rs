//! A `nats-server` of a test: started on a free port, ended by its number, and made to suffer.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use martlet_engine::nats::{Settings, Storage};
use tempfile::TempDir;

/// Where Debian keeps it, beside the path.
const PLACES: [&str; 3] = ["nats-server", "/usr/sbin/nats-server", "/usr/local/bin/nats-server"];

/// How long a server may take to begin.
const BEGINNING: Duration = Duration::from_secs(10);

pub struct Server {
    child: Child,
    pub port: u16,
    directory: TempDir,
}

pub fn program() -> Option<&'static str> {
    let there = |place: &&str| Command::new(place).arg("-v").output().is_ok();
    PLACES.iter().find(|place| there(place)).copied()
}

/// Whether there is a server to be started; says so if there is none.
#[allow(clippy::print_stderr, reason = "who runs the tests is to know what was not")]
pub fn there_is_a_server() -> bool {
    if program().is_some() {
        return true;
    }
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!ci, "CI needs nats-server");
    eprintln!("skipped: the engine on NATS needs nats-server");
    false
}

impl Server {
    /// Starts a server; `None` where there is no program.
    pub fn start() -> Option<Self> {
        if !there_is_a_server() {
            return None;
        }
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = begin(directory.path(), port);
        Some(Self { child, port, directory })
    }

    /// How it is used, with this storage.
    pub fn settings(&self, storage: Storage) -> Settings {
        settings(self.port, storage)
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// It ends without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// It begins again with what it has on disk.
    pub fn begin_again(&mut self) {
        self.child = begin(self.directory.path(), self.port);
    }

    /// It begins again with what it had when `copy` was made.
    pub fn begin_with(&mut self, copy: &TempDir) {
        let own = self.directory.path().join("jetstream");
        std::fs::remove_dir_all(&own).unwrap();
        copy_all(&copy.path().join("jetstream"), &own);
        self.begin_again();
    }

    /// What it has on disk.
    pub fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        copy_all(&self.directory.path().join("jetstream"), &copy.path().join("jetstream"));
        copy
    }

    /// It stands still.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn settings(port: u16, storage: Storage) -> Settings {
    let settings = Settings::parse(&format!("nats://127.0.0.1:{port}")).unwrap();
    Settings { storage, ..settings }
}

fn begin(directory: &Path, port: u16) -> Child {
    let log = std::fs::File::create(directory.join("log")).unwrap();
    let child = Command::new(program().unwrap())
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(directory)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let end = Instant::now() + BEGINNING;
    while !std::fs::read_to_string(directory.join("log")).unwrap().contains("Server is ready") {
        assert!(Instant::now() < end, "nats-server does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn copy_all(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}
