//! `serve`, `pub` and `sub` together: what goes in at one end comes out at the other.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::played::{martlet, run};

/// A server in development mode, which ends with the test.
pub struct Server {
    pub process: Child,
    pub url: String,
}

impl Server {
    pub fn start() -> Self {
        let mut command = martlet("", &["serve", "--listen", "127.0.0.1:0"]);
        command.env_remove("MARTLET_URL");
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = log.find_map(|line| Some(line.ok()?.split_once("listening on ")?.1.to_owned()));
        // The rest of the log is read, so that the server never waits for its reader.
        std::thread::spawn(move || log.count());
        Self { process, url: url.expect("the server says where it listens") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn every_line_arrives_over_every_transport() {
    let server = Server::start();
    let lines: String = (1..=900).map(|i| format!("line {i} \u{1f426}\n")).collect();
    let (code, _, err) = run(martlet(&server.url, &["pub", "host", "--lines"]), &lines);
    assert_eq!(code, 0, "{err}");
    for way in [&[][..], &["--binary"], &["--transport", "sse"]] {
        let following = ["sub", "host", "--since", "10m", "--count", "900"];
        let (code, out, err) = run(martlet(&server.url, &[&following, way].concat()), "");
        assert_eq!(code, 0, "{way:?}: {err}");
        assert_eq!(out, lines, "{way:?}");
    }
}

#[test]
fn bytes_arrive_as_they_were() {
    let server = Server::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), [0, 159, 146, 150, 10]).unwrap();
    let path = file.path().to_str().unwrap();
    let (code, _, err) = run(martlet(&server.url, &["pub", "raw", "--binary", "--file", path]), "");
    assert_eq!(code, 0, "{err}");
    for way in [&[][..], &["--binary"], &["--transport", "sse"]] {
        let following = ["sub", "raw", "--since", "10m", "--count", "1"];
        let (_, out, err) = run(martlet(&server.url, &[&following, way].concat()), "");
        assert_eq!(out, "AJ+Slgo=\n", "{way:?}: {err}");
    }
}
