//! The program as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

/// Longer than anything takes that is to happen; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, killed with its test.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    /// Its log, from the line on that says where it listens.
    pub log: Option<BufReader<ChildStderr>>,
}

impl Served {
    /// `martlet serve` with these flags, on a port that the system chooses.
    pub fn start(flags: &[&str]) -> Self {
        Self::on("127.0.0.1:0", "", flags)
    }

    /// The same on an address, after a command of the shell such as `ulimit`.
    pub fn on(address: &str, before: &str, flags: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{before}\nexec \"$0\" \"$@\""));
        command.arg(env!("CARGO_BIN_EXE_martlet")).args(["serve", "--listen", address]);
        command.args(flags).env_clear().env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it listened");
            if let Some((_, address)) = line.trim_end().split_once("listening on http://") {
                break address.parse().unwrap();
            }
        };
        Self { child, address, log: Some(log) }
    }

    /// Reads the log and throws it away, so that the server never waits for a reader.
    pub fn ignore_log(mut self) -> Self {
        let mut log = self.log.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        self
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it as a machine does that has no memory left: at once, without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let arguments = [format!("-{name}"), self.child.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().unwrap().success());
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The memory it has, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024
    }

    /// The time of the processor it has used, in hundredths of a second.
    pub fn cpu(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Sends bytes on a connection of their own.
    pub fn say(&self, bytes: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect_timeout(&self.address, PATIENCE).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may have been refused already, which is not this one's business.
        let _ = socket.write_all(bytes);
        socket
    }

    /// Whether it answers, on a new connection, within a time.
    pub fn answers(&self, within: Duration) -> bool {
        let mut socket =
            self.say(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        socket.set_read_timeout(Some(within)).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).is_ok() && text.starts_with("HTTP/1.1 200")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
