//! Real proxies with the configurations of `deploy/`, on free ports and before the nodes of a test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, free_port, local};

/// A proxy that ends with its test.
pub struct Proxy {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

impl Proxy {
    /// HAProxy with this file of `deploy/`.
    pub fn haproxy(file: &str, nodes: &[u16]) -> Self {
        Self::start(file, nodes, |configuration, _| {
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(configuration);
            command
        })
    }

    /// nginx with this file of `deploy/`, as one process: workers of its own would outlive it when
    /// it is killed.
    pub fn nginx(file: &str, nodes: &[u16]) -> Self {
        Self::start(file, nodes, |configuration, folder| {
            let pid = folder.join("pid");
            let pid = pid.display();
            let more = format!("daemon off; master_process off; error_log stderr; pid {pid};");
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c").arg(configuration).args(["-g", &more]);
            command
        })
    }

    fn start(file: &str, nodes: &[u16], command: impl Fn(&Path, &Path) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let text = std::fs::read_to_string(deploy().join(file)).unwrap();
        let configuration = folder.path().join(file);
        std::fs::write(&configuration, before(&text, port, nodes)).unwrap();
        let mut command = command(&configuration, folder.path());
        let process = Process::start(&mut command, port, &folder.path().join("log"));
        Self { _process: process, port, _folder: folder }
    }

    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// A configuration with another port to listen on, and other nodes: the line of the first is
/// repeated for each. Health is looked at more often, so that tests need not wait for it.
fn before(text: &str, port: u16, nodes: &[u16]) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = &line.replace("check inter 1s", "check inter 100ms");
        if line.contains("127.0.0.1:8001") {
            lines.extend(nodes.iter().map(|node| {
                let line = line.replace("127.0.0.1:8001", &format!("127.0.0.1:{node}"));
                line.replace("server one", &format!("server node-{node}"))
            }));
        } else if !line.contains("127.0.0.1:8002") {
            lines.push(line.replace("127.0.0.1:8000", &format!("127.0.0.1:{port}")));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}
