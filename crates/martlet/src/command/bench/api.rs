//! Requests to the HTTP API over bare sockets, and to Redis beside it: each connection writes its
//! next one when the last was answered. Answers are looked at only as far as their status and
//! length.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};

use super::board::histogram;
use super::dialect::{Kind, write_command};
use super::door::Door;
use super::interrupt;
use crate::failure::Failure;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is taken.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Publications in one request.
    pub batch: usize,
    /// How many channels they go to, in turn.
    pub channels: usize,
    /// The length of their data.
    pub payload: usize,
    /// The key of the API.
    pub key: Option<String>,
}

impl Requests {
    /// A request that publishes into the channels from this number on.
    fn write(&self, door: &Door, first: usize) -> Vec<u8> {
        match door.kind {
            Kind::Redis => self.write_commands(door, first),
            _ => self.write_request(door, first),
        }
    }

    /// As many commands as publications, without waiting in between.
    fn write_commands(&self, door: &Door, first: usize) -> Vec<u8> {
        let (data, mut out) = ("x".repeat(self.payload), Vec::new());
        for i in first..first + self.batch {
            let channel = door.channel(i % self.channels);
            write_command(&[b"PUBLISH", channel.as_bytes(), data.as_bytes()], &mut out);
        }
        out
    }

    fn write_request(&self, door: &Door, first: usize) -> Vec<u8> {
        let data = "x".repeat(self.payload);
        let one = |i: usize| {
            let channel = door.channel((first + i) % self.channels);
            format!(r#"{{"channel":"{channel}","data":"{data}"}}"#)
        };
        let (path, body) = match self.batch {
            1 => ("publish", one(0)),
            many => {
                let all: Vec<String> = (0..many).map(one).collect();
                ("batch", format!(r#"{{"publish":[{}]}}"#, all.join(",")))
            }
        };
        let key = self.key.as_ref().map(|key| format!("Authorization: Bearer {key}\r\n"));
        format!(
            "POST /v1/{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{}\r\n{body}",
            door.host,
            body.len(),
            key.unwrap_or_default()
        )
        .into_bytes()
    }
}

/// What calls came to.
pub struct Called {
    /// How long each took, in nanoseconds.
    pub latency: Histogram<u64>,
    /// How long all took.
    pub elapsed: Duration,
}

/// Connections that call the API.
pub struct Callers {
    epoll: OwnedFd,
    callers: Vec<Caller>,
    buffer: Vec<u8>,
}

struct Caller {
    socket: TcpStream,
    request: Vec<u8>,
    unsent: usize,
    answer: Vec<u8>,
    begun: Instant,
    calling: bool,
    /// How many commands of Redis are answered together; none where HTTP is spoken.
    commands: Option<usize>,
}

impl Callers {
    /// Connects so many.
    pub fn connect(door: &Door, requests: Requests, count: usize) -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::failed(format!("cannot connect to {}: {error}", door.host));
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
        let mut callers = Vec::new();
        for i in 0..count {
            let socket = TcpStream::connect_timeout(&door.address, PATIENCE).map_err(failed)?;
            socket.set_nodelay(true).and_then(|()| socket.set_nonblocking(true)).map_err(failed)?;
            let number = epoll::EventData::new_u64(i as u64);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&epoll, &socket, number, flags).map_err(|error| failed(error.into()))?;
            callers.push(Caller {
                socket,
                request: requests.write(door, i * requests.batch),
                unsent: 0,
                answer: Vec::new(),
                begun: Instant::now(),
                calling: false,
                commands: (door.kind == Kind::Redis).then_some(requests.batch),
            });
        }
        Ok(Self { epoll, callers, buffer: vec![0; 256 * 1024] })
    }

    /// Calls for so long, and waits for the last answers.
    pub fn run(&mut self, lasting: Duration) -> Result<Called, Failure> {
        let (begun, mut latency) = (Instant::now(), histogram());
        self.callers.iter_mut().try_for_each(|caller| caller.call().map_err(lost))?;
        let mut events = Vec::with_capacity(self.callers.len());
        while self.callers.iter().any(|caller| caller.calling) {
            interrupt::check()?;
            if begun.elapsed() > lasting + PATIENCE {
                return Err(Failure::failed("the server does not answer"));
            }
            events.clear();
            let timeout = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, room, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(lost(error.into())),
            }
            for event in &events {
                let event: &epoll::Event = event;
                let caller = &mut self.callers[event.data.u64() as usize];
                caller.send().map_err(lost)?;
                while caller.take(&mut self.buffer)? {
                    let took = caller.begun.elapsed().as_nanos();
                    latency.saturating_record(u64::try_from(took).unwrap_or(u64::MAX));
                    if begun.elapsed() < lasting {
                        caller.call().map_err(lost)?;
                    }
                }
            }
        }
        Ok(Called { latency, elapsed: begun.elapsed() })
    }
}

fn lost(error: io::Error) -> Failure {
    Failure::failed(format!("a connection was lost: {error}"))
}

impl Caller {
    fn call(&mut self) -> io::Result<()> {
        self.begun = Instant::now();
        self.calling = true;
        self.unsent = self.request.len();
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        while self.unsent > 0 {
            match self.socket.write(&self.request[self.request.len() - self.unsent..]) {
                Ok(count) => self.unsent -= count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there. Says whether the answer is whole.
    fn take(&mut self, buffer: &mut [u8]) -> Result<bool, Failure> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(Failure::failed("the server ended a connection")),
                Ok(count) => self.answer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
            let whole = match self.commands {
                Some(commands) => counted(&self.answer, commands)?,
                None => answered(&self.answer)?,
            };
            if whole {
                self.answer.clear();
                self.calling = false;
                return Ok(true);
            }
        }
    }
}

/// Whether so many commands of Redis have been answered, each by a line.
fn counted(answer: &[u8], commands: usize) -> Result<bool, Failure> {
    if answer.starts_with(b"-") || answer.windows(2).any(|two| two == b"\n-") {
        let why = String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned();
        return Err(Failure::failed(format!("the server refused: {}", why.trim_end())));
    }
    Ok(answer.iter().filter(|byte| **byte == b'\n').count() >= commands)
}

/// Whether an answer of HTTP is whole, which may not be a refusal.
fn answered(answer: &[u8]) -> Result<bool, Failure> {
    match answer_length(answer)?.filter(|length| answer.len() >= *length) {
        None => Ok(false),
        Some(length) => check_results(&answer[..length]).map(|()| true),
    }
}

/// How long an answer is, once its head is there.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    let foreign = |why: &str| Failure::failed(format!("the answer is not one of martlet's: {why}"));
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(bytes).map_err(|error| foreign(&error.to_string()))?;
    let httparse::Status::Complete(start) = parsed else {
        return if bytes.len() > ANSWER_BYTES_MAX { Err(foreign("no head")) } else { Ok(None) };
    };
    let length =
        head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    let length: usize = length.ok_or_else(|| foreign("it has no length"))?;
    if length > ANSWER_BYTES_MAX {
        return Err(foreign("it is too long"));
    }
    let status = head.code.unwrap_or(0);
    if status != 200 && bytes.len() >= start + length {
        let body = String::from_utf8_lossy(&bytes[start..start + length]).into_owned();
        return Err(Failure::failed(format!("the server refused ({status}): {body}")));
    }
    Ok(Some(start + length))
}

/// In a batch, each publication may be refused by itself.
fn check_results(answer: &[u8]) -> Result<(), Failure> {
    let refused = br#"{"error":"#;
    match answer.windows(refused.len()).position(|bytes| bytes == refused) {
        None => Ok(()),
        Some(at) => {
            let why = String::from_utf8_lossy(&answer[at..]).chars().take(300).collect::<String>();
            Err(Failure::failed(format!("the server refused a publication: {why}")))
        }
    }
}

#[cfg(test)]
mod tests;
