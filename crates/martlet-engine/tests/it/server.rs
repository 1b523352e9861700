//! Servers of this machine: started on free loopback ports, ended by their process id.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);

/// Whether a program is there. Where it is not, the test is skipped, which is a failure under
/// `CI=true`.
pub fn have(program: &str, test: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    let found = places.map(|place| Path::new(place).join(program)).any(|file| file.is_file());
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is missing");
        eprintln!("skipped: {test}: {program} is missing");
    }
    found
}

/// A port that nobody uses.
pub fn free_port() -> u16 {
    // Ports below those that the system gives out by itself, so that nobody takes it meanwhile.
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = 12_000 + (std::process::id() % 8_000) as u16;
        let port = base + step % 2_000;
        // A cluster of Redis also listens 10,000 ports higher.
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if free(port) && free(port + 10_000) {
            return port;
        }
    }
}

/// A process that ends with its test.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    /// Starts a program that is to listen on `port`.
    pub fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { child: child.spawn().unwrap(), port };
        server.wait();
        server
    }

    /// Waits until it listens.
    fn wait(&self) {
        let until = Instant::now() + START;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "nothing listens on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
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

    /// It ends at once.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
