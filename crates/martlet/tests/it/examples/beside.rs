//! Programs that a page runs beside its server: on free ports in place of those that it names, and
//! with the configurations of `deploy/`.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use regex::{Captures, Regex};

use crate::cluster::process::{free_port, have, local};

/// The ports that pages name, but for the server's own.
const NAMED: [&str; 4] = ["4222", "6379", "8001", "8002"];

/// Programs that are not everywhere.
const PROGRAMS: [&str; 3] = ["redis-server", "nats-server", "haproxy"];

/// What a page runs beside its server.
pub struct Beside {
    ports: [u16; NAMED.len()],
}

impl Beside {
    pub fn new() -> Self {
        Self { ports: NAMED.map(|_| free_port()) }
    }

    /// A text with these ports in place of those that it names.
    pub fn rewritten(&self, text: &str) -> String {
        let named = Regex::new(r"(127\.0\.0\.1:|--port )(4222|6379|8001|8002)\b").unwrap();
        let free = |found: &Captures<'_>| {
            let which = NAMED.iter().position(|name| *name == &found[2]).unwrap();
            format!("{}{}", &found[1], self.ports[which])
        };
        named.replace_all(text, free).into_owned()
    }

    /// The port that a script, as it was rewritten, has something listen on beside the server.
    pub fn listens(script: &str) -> Option<u16> {
        let named = Regex::new(r"(--listen 127\.0\.0\.1:|--port )(\d+)").unwrap();
        named.captures(script)?[2].parse().ok()
    }

    /// Puts the configurations of `deploy/` into the page's directory, with these ports and the
    /// server's.
    pub fn deploy(&self, root: &Path, directory: &Path, server: &str) {
        std::fs::create_dir_all(directory.join("deploy")).unwrap();
        for file in std::fs::read_dir(root.join("deploy")).unwrap() {
            let file = file.unwrap();
            // Units of systemd are not run.
            if file.file_type().unwrap().is_dir() {
                continue;
            }
            let text = std::fs::read_to_string(file.path()).unwrap();
            let text = self.rewritten(&text).replace("127.0.0.1:8000", server);
            std::fs::write(directory.join("deploy").join(file.file_name()), text).unwrap();
        }
    }
}

/// Whether a script can be run here: whether what it runs is there.
pub fn can_run(script: &str, place: &str) -> bool {
    let needed: Vec<_> = PROGRAMS.into_iter().filter(|name| script.contains(name)).collect();
    have(&needed, place)
}

/// Waits until something listens on a port.
pub fn wait_for(port: u16, patience: Duration) -> Result<(), String> {
    let until = Instant::now() + patience;
    while TcpStream::connect(local(port)).is_err() {
        if Instant::now() > until {
            return Err(format!("nothing listens on port {port}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
