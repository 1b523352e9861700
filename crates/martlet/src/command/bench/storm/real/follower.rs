//! A client that follows one channel and comes back by itself: as cheap as the bench's others, so
//! that thousands fit beside the servers, and with the waits of a real one.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::heard::{Heard, heard};
use crate::command::bench::dialect::{head, martlet::handshake};
use crate::command::bench::door::Door;
use crate::command::bench::frame::{self, Scanner};
use crate::command::bench::socket::{dial, write_some};
use crate::command::bench::storm::policy::{Loss, Policy};

/// The longest answer to the handshake.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits until it sets out.
    Away,
    /// It is on its way in.
    Connecting,
    /// Its handshake is on its way.
    Shaking,
    /// It has said who it is.
    Joining,
    /// It follows its channel.
    Live,
    /// It has given up, or was told to.
    Over,
}

impl Stage {
    /// Whether it is on its way in.
    pub fn coming(self) -> bool {
        matches!(self, Self::Connecting | Self::Shaking | Self::Joining)
    }
}

/// A follower.
#[derive(Debug)]
pub struct Follower {
    /// What it follows.
    pub channel: usize,
    /// Whether it is there to see how long publications take.
    pub watches: bool,
    /// Its waits.
    pub policy: Policy,
    /// How far it has come.
    pub stage: Stage,
    /// When it lost its connection last.
    pub lost_at: Option<Instant>,
    /// When it set out last.
    pub begun: Instant,
    /// How often it has set out since it was connected last.
    pub tries: u32,
    /// The number of the publication that comes next.
    pub next: u64,
    socket: Option<TcpStream>,
    scanner: Scanner,
    rest: Vec<u8>,
    out: Vec<u8>,
    back: Back,
    /// It was told not to come back.
    unwanted: bool,
}

/// What it comes back with.
#[derive(Debug, Default)]
struct Back {
    grant: Option<Box<str>>,
    session: Option<Box<str>>,
    position: Option<(Box<str>, u64)>,
}

impl Follower {
    /// One who has never been there.
    pub fn new(channel: usize, policy: Policy, now: Instant) -> Self {
        Self {
            channel,
            watches: false,
            policy,
            stage: Stage::Away,
            lost_at: None,
            begun: now,
            tries: 0,
            next: 0,
            socket: None,
            scanner: Scanner::default(),
            rest: Vec::new(),
            out: Vec::new(),
            back: Back::default(),
            unwanted: false,
        }
    }

    /// Sets out.
    pub fn begin(&mut self, door: &Door, entrance: SocketAddr, now: Instant) -> io::Result<()> {
        (self.begun, self.tries) = (now, self.tries + 1);
        self.socket = Some(dial(entrance)?);
        self.stage = Stage::Connecting;
        self.out = handshake(door);
        self.rest = Vec::new();
        self.scanner = Scanner::default();
        Ok(())
    }

    /// Its socket, while it has one.
    pub fn socket(&self) -> Option<&TcpStream> {
        self.socket.as_ref()
    }

    /// Whether it has something to write.
    pub fn waits(&self) -> bool {
        !self.out.is_empty()
    }

    /// Writes what its socket takes.
    pub fn flush(&mut self) -> Result<(), Loss> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        if self.stage == Stage::Connecting {
            match socket.take_error() {
                Ok(None) => self.stage = Stage::Shaking,
                _ => return Err(Loss::Cut),
            }
        }
        write_some(socket, &mut self.out).map_err(|_| Loss::Cut)?;
        if self.out.is_empty() {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Reads what is there, and hands on what it hears of its channel.
    pub fn read(
        &mut self,
        name: &str,
        buffer: &mut [u8],
        mut sink: impl FnMut(&mut Self, Heard),
    ) -> Result<(), Loss> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let count = match socket.read(buffer) {
            Ok(count) if count > 0 => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            _ => return Err(Loss::Cut),
        };
        match self.stage {
            Stage::Connecting | Stage::Shaking => self.read_head(name, &buffer[..count], sink)?,
            _ => self.read_frames(&buffer[..count], &mut sink)?,
        }
        if self.out.is_empty() { Ok(()) } else { self.flush() }
    }

    fn read_head(
        &mut self,
        name: &str,
        bytes: &[u8],
        mut sink: impl FnMut(&mut Self, Heard),
    ) -> Result<(), Loss> {
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let Some(head) = head(&rest) else {
            let long = rest.len() > HEAD_BYTES_MAX;
            self.rest = rest;
            return if long { Err(Loss::Cut) } else { Ok(()) };
        };
        if head.status != 101 {
            let after = head.field("retry-after").and_then(|seconds| seconds.parse().ok());
            return Err(after.map_or(Loss::Cut, |s| Loss::Told(Some(Duration::from_secs(s)))));
        }
        self.stage = Stage::Joining;
        let connect = self.back.connect(name);
        frame::write_masked(frame::TEXT, connect.as_bytes(), &mut self.out);
        self.read_frames(&rest[head.length..], &mut sink)
    }

    fn read_frames(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(&mut Self, Heard),
    ) -> Result<(), Loss> {
        let mut scanner = std::mem::take(&mut self.scanner);
        let mut outcome = Ok(());
        let fed = scanner.feed(bytes, |frame| match frame.opcode {
            _ if outcome.is_err() => {}
            frame::TEXT => {
                for message in frame.payload.split(|byte| *byte == b'\n') {
                    outcome = outcome.and_then(|()| self.hear(message, sink));
                }
            }
            frame::PING => frame::write_masked(frame::PONG, frame.payload, &mut self.out),
            frame::CLOSE => outcome = Err(Loss::Told(None)),
            _ => {}
        });
        self.scanner = scanner;
        outcome.and(fed.map_err(|_| Loss::Cut))
    }

    fn hear(
        &mut self,
        message: &[u8],
        sink: &mut impl FnMut(&mut Self, Heard),
    ) -> Result<(), Loss> {
        if message.is_empty() {
            return Ok(());
        }
        match heard(message).map_err(|_| Loss::Cut)? {
            Heard::Connected { grant, session } => {
                (self.back.grant, self.back.session) = (Some(grant), Some(session));
            }
            Heard::Grant(grant) => self.back.grant = Some(grant),
            Heard::Subscribed { epoch, offset } => {
                self.back.position = Some((epoch.clone(), offset));
                sink(self, Heard::Subscribed { epoch, offset });
                self.stage = Stage::Live;
            }
            Heard::Ping => frame::write_masked(frame::TEXT, br#"{"pong":{}}"#, &mut self.out),
            Heard::Close { reconnect: true, after } => return Err(Loss::Told(after)),
            Heard::Close { reconnect: false, .. } => {
                self.unwanted = true;
                return Err(Loss::Told(None));
            }
            Heard::Publication { offset, number } => {
                self.reach(offset);
                sink(self, Heard::Publication { offset, number });
            }
            Heard::Gap(to) => {
                self.reach(to);
                sink(self, Heard::Gap(to));
            }
            Heard::Nothing => {}
        }
        Ok(())
    }

    fn reach(&mut self, place: u64) {
        if let Some((_, offset)) = &mut self.back.position {
            *offset = place;
        }
    }

    /// Its connection is gone. Says how long it waits; `None` if it does not come back.
    pub fn lose(
        &mut self,
        clock: martlet_core::time::Instant,
        now: Instant,
        loss: Loss,
    ) -> Option<Duration> {
        self.socket = None;
        if self.stage == Stage::Live {
            (self.lost_at, self.tries) = (Some(now), 0);
        }
        let wait = match self.unwanted {
            true => None,
            false => self.policy.handle_lost(clock, loss),
        };
        self.stage = if wait.is_some() { Stage::Away } else { Stage::Over };
        wait
    }
}

impl Back {
    /// What it says first.
    fn connect(&self, name: &str) -> String {
        let mut connect = json!({
            "agent": concat!("martlet-bench/", env!("CARGO_PKG_VERSION")),
            "subscribe": [{ "channel": name }],
        });
        if let (Some(grant), Some(session)) = (&self.grant, &self.session) {
            (connect["grant"], connect["session"]) = (json!(grant), json!(session));
        }
        if let Some((epoch, offset)) = &self.position {
            let follow = &mut connect["subscribe"][0];
            (follow["epoch"], follow["offset"]) = (json!(epoch), json!(offset));
        }
        json!({ "id": 1, "connect": connect }).to_string()
    }
}
