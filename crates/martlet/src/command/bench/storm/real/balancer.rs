//! HAProxy before the nodes, with the configuration that operators are given in `deploy/`. It
//! takes two open files for each client, so there are several where one may not have enough.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::command::bench::started::{Started, free_port};
use crate::failure::Failure;

#[cfg(test)]
mod tests;

/// The configuration of `deploy/`.
const DEPLOYED: &str = include_str!("../../../../../../../deploy/haproxy.cfg");

/// A balancer that ends with the run.
#[derive(Debug)]
pub struct Balancer {
    /// Where clients come in.
    pub address: SocketAddr,
    file: PathBuf,
    child: Started,
}

impl Balancer {
    /// Whether there is such a program.
    pub fn there_is(program: &str) -> bool {
        let mut ask = Command::new(program);
        ask.arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().is_ok_and(|status| status.success())
    }

    /// Starts one before these nodes, and waits until it listens.
    pub fn start(program: &str, nodes: &[SocketAddr]) -> Result<Self, Failure> {
        let unstarted = |why: String| Failure::failed(format!("cannot start {program}: {why}"));
        let port = free_port().map_err(|error| unstarted(error.to_string()))?;
        let name = format!("martlet-bench-{}-{port}.cfg", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, before(port, nodes)).map_err(|error| unstarted(error.to_string()))?;
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(&file);
        let mut child = Started::foreign(&command).map_err(|e| unstarted(e.to_string()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        child.listens(address).map_err(unstarted)?;
        Ok(Self { address, file, child })
    }
}

impl Balancer {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Nobody needs it, and nobody misses it.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The configuration with another port to listen on, and other nodes: the line of the first is
/// repeated for each.
fn before(port: u16, nodes: &[SocketAddr]) -> String {
    let mut text = String::new();
    for line in DEPLOYED.lines() {
        let named = |(number, node): (usize, &SocketAddr)| {
            let line = line.replace("127.0.0.1:8001", &node.to_string());
            line.replace("server one", &format!("server node-{number}")) + "\n"
        };
        match line {
            line if line.contains("127.0.0.1:8001") => {
                text.extend(nodes.iter().enumerate().map(named));
            }
            line if line.contains("127.0.0.1:8002") => {}
            line => {
                text.push_str(&line.replace("127.0.0.1:8000", &format!("127.0.0.1:{port}")));
                text.push('\n');
            }
        }
    }
    text
}
