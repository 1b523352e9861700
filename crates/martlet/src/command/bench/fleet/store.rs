//! A Redis that is started for a run, and what it says of itself. It keeps nothing on a disk.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::command::bench::dialect::write_command;
use crate::command::bench::door::resolve;
use crate::command::bench::process::Process;
use crate::command::bench::started::{Started, free_port};
use crate::failure::Failure;

/// A Redis.
#[derive(Debug)]
pub struct Store {
    host: String,
    process: Process,
    _child: Started,
}

impl Store {
    /// Starts one on a free port, and waits until it listens.
    pub fn start(program: &str) -> Result<Self, Failure> {
        let unstarted = |why: String| Failure::failed(format!("cannot start {program}: {why}"));
        let port = free_port().map_err(|error| unstarted(error.to_string()))?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"]);
        command.args(["--save", "", "--appendonly", "no", "--maxclients", "20000", "--dir"]);
        command.arg(std::env::temp_dir());
        let mut child = Started::foreign(&command).map_err(|e| unstarted(e.to_string()))?;
        let host = format!("127.0.0.1:{port}");
        child.listens(resolve(&host)?).map_err(unstarted)?;
        Ok(Self { host, process: Process::one(child.pid()), _child: child })
    }

    /// Its address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What it says to a command that is answered by a text.
    pub fn ask(&self, words: &[&str]) -> Result<String, Failure> {
        let failed = |error: io::Error| Failure::failed(format!("Redis does not answer: {error}"));
        self.asked(words).map_err(failed)
    }

    fn asked(&self, words: &[&str]) -> io::Result<String> {
        let mut socket = TcpStream::connect(&self.host)?;
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut command = Vec::new();
        write_command(&words, &mut command);
        socket.write_all(&command)?;
        let (mut answer, mut head) = (BufReader::new(socket), String::new());
        answer.read_line(&mut head)?;
        let Some(length) = head.strip_prefix('$').and_then(|it| it.trim_end().parse().ok()) else {
            return Ok(head.trim_end().to_owned());
        };
        let mut text = String::new();
        answer.take(length).read_to_string(&mut text)?;
        Ok(text)
    }
}
