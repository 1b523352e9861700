//! Processes of this machine: started on free loopback ports, hurt and ended by their process id.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whether programs are there. Where one is not, the test is skipped, which is a failure under
/// `CI=true`.
pub fn have(programs: &[&str], test: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let places: Vec<_> = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]).collect();
    let there = |program: &str| places.iter().any(|at| Path::new(at).join(program).is_file());
    let missing: Vec<_> = programs.iter().filter(|program| !there(program)).collect();
    if !missing.is_empty() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: missing {missing:?}");
        eprintln!("skipped: {test}: missing {missing:?}");
    }
    missing.is_empty()
}

/// A port that nobody uses, below those that the system gives out by itself, so that nobody takes
/// it meanwhile.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 21_000 + ((std::process::id() * 64) % 10_000) as u16 + step % 1_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The loopback address of a port.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A process that ends with its test.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program that is to listen on `port`; what it says goes to a file.
    pub fn start(command: &mut Command, port: u16, log: &Path) -> Self {
        let to = || File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(to()).stderr(to());
        // Debian keeps proxies where only root looks.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut process = Self { child, log: log.to_owned() };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(local(port)).is_err() {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{ended:?}: {}", process.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        process
    }

    /// What it has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status().unwrap();
        assert!(sent.success(), "kill {signal} {process}");
    }

    /// It does nothing any more, and does not say so.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// It is asked to stop.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// It ends at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<_> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(25)..];
            eprintln!("---- {}\n{}", self.log.display(), last.join("\n"));
        }
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
