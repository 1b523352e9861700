//! Requests to the HTTP API over bare sockets, and to Redis beside it: each connection writes its
//! next one when the last was answered. Answers are looked at only as far as their status and
//! length.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};

use super::board::histogram;
use super::dialect::{Kind, write_command};
use super::door::Door;
use super::interrupt;
use crate::failure::Failure;

mod answer;
pub mod post;

use answer::{answered, counted};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a turn lasts at most, so that an interruption is noticed.
const TURN: Duration = Duration::from_millis(50);

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
        let channels = (first..first + self.batch).map(|i| door.channel(i % self.channels));
        let publications: Vec<_> = channels.map(|channel| (channel, data.as_bytes())).collect();
        let mut request = Vec::new();
        post::write(door, self.key.as_deref(), &publications, &mut request);
        request
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
    events: Vec<epoll::Event>,
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
    /// Connects so many, who all ask for the same.
    pub fn connect(door: &Door, requests: Requests, count: usize) -> Result<Self, Failure> {
        let commands = (door.kind == Kind::Redis).then_some(requests.batch);
        let all = (0..count).map(|i| requests.write(door, i * requests.batch));
        Self::with(door, all, commands)
    }

    /// Connects one for each request. Where they are commands of Redis, so many are answered
    /// together.
    pub fn with(
        door: &Door,
        requests: impl Iterator<Item = Vec<u8>>,
        commands: Option<usize>,
    ) -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::failed(format!("cannot connect to {}: {error}", door.host));
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
        let mut callers = Vec::new();
        for (i, request) in requests.enumerate() {
            let socket = TcpStream::connect_timeout(&door.address, PATIENCE).map_err(failed)?;
            socket.set_nodelay(true).and_then(|()| socket.set_nonblocking(true)).map_err(failed)?;
            let number = epoll::EventData::new_u64(i as u64);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&epoll, &socket, number, flags).map_err(|error| failed(error.into()))?;
            callers.push(Caller::new(socket, request, commands));
        }
        let events = Vec::with_capacity(callers.len());
        Ok(Self { epoll, callers, buffer: vec![0; 256 * 1024], events })
    }

    /// What is readable when there is something for [`turn`](Self::turn) to do.
    pub fn waiting(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Whether any waits for an answer.
    pub fn calling(&self) -> bool {
        self.callers.iter().any(|caller| caller.calling)
    }

    /// Calls for so long, and waits for the last answers.
    pub fn run(&mut self, lasting: Duration) -> Result<Called, Failure> {
        let (begun, mut latency) = (Instant::now(), histogram());
        (0..self.callers.len()).try_for_each(|i| self.call(i))?;
        while self.calling() {
            interrupt::check()?;
            if begun.elapsed() > lasting + PATIENCE {
                return Err(Failure::failed("the server does not answer"));
            }
            for (i, took) in self.turn(TURN)? {
                latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
                if begun.elapsed() < lasting {
                    self.call(i)?;
                }
            }
        }
        Ok(Called { latency, elapsed: begun.elapsed() })
    }

    /// One asks for the same again.
    fn call(&mut self, caller: usize) -> Result<(), Failure> {
        self.callers[caller].call().map_err(lost)
    }

    /// One asks for something, which is written into the place of what it asked for last.
    pub fn ask(&mut self, caller: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        let request = &mut self.callers[caller].request;
        request.clear();
        write(request);
        self.call(caller)
    }

    /// Waits until something happens, at most for so long. Gives whose calls were answered, and
    /// how long those took.
    pub fn turn(&mut self, timeout: Duration) -> Result<Vec<(usize, Duration)>, Failure> {
        let timeout = Timespec::try_from(timeout.min(TURN)).expect("the longest turn is short");
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, room, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(lost(error.into())),
        }
        let mut answered = Vec::new();
        for event in &self.events {
            let index = event.data.u64() as usize;
            let caller = &mut self.callers[index];
            caller.send().map_err(lost)?;
            if caller.take(&mut self.buffer)? {
                answered.push((index, caller.begun.elapsed()));
            }
        }
        Ok(answered)
    }
}

fn lost(error: io::Error) -> Failure {
    Failure::failed(format!("a connection was lost: {error}"))
}

impl Caller {
    fn new(socket: TcpStream, request: Vec<u8>, commands: Option<usize>) -> Self {
        let (begun, answer) = (Instant::now(), Vec::new());
        Self { socket, request, unsent: 0, answer, begun, calling: false, commands }
    }

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

#[cfg(test)]
mod tests;
