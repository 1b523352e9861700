//! One client of the generator: a bare socket that shakes hands, says what its dialect says first,
//! and from then on only counts what comes. It is moved on by its crowd when its socket is ready.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Instant;

use super::board::{Board, Place};
use super::chunks::{Chunks, End};
use super::dialect::{Carrier, Dialect, Heard, Who, head};
use super::door::Door;
use super::frame::{self, Scanner};
use super::socket::{dial, write_some};

/// The longest answer to the handshake, and the longest message that comes in pieces.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its socket is being connected.
    Connecting,
    /// The handshake is on its way.
    Shaking,
    /// What it said first is on its way.
    Joining,
    /// It is let in, and follows its channel if it has one.
    Open,
    /// It is gone.
    Gone,
}

/// A client.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// How it speaks.
    pub dialect: &'static dyn Dialect,
    /// How far it has come.
    pub stage: Stage,
    /// When it began.
    pub begun: Instant,
    /// Its place in the channel that it follows, if it does.
    pub place: Option<Place>,
    /// Whether bytes wait for the socket to take them.
    pub waits: bool,
    carrier: Carrier,
    scanner: Scanner,
    chunks: Chunks,
    /// The beginning of something whose end has not come.
    rest: Vec<u8>,
    out: Vec<u8>,
}

/// What a client needs to know, to understand what comes.
pub struct Around<'a> {
    /// The server's door.
    pub door: &'a Door,
    /// The account.
    pub board: &'a mut Board,
    /// When what comes was read.
    pub now: Instant,
}

impl Connection {
    /// Begins to connect.
    pub fn begin(door: &Door, channel: Option<usize>) -> io::Result<Self> {
        let entrance = door.entrance.filter(|_| channel.is_none()).unwrap_or(door.address);
        let socket = dial(entrance)?;
        let dialect = if channel.is_some() { door.reader } else { door.publisher };
        let seen = door.seen.as_ref().map_or(0, |seen| seen.offset);
        Ok(Self {
            socket,
            dialect,
            stage: Stage::Connecting,
            begun: Instant::now(),
            place: channel.map(|channel| Place::after(channel, seen)),
            waits: true,
            carrier: dialect.carrier(),
            scanner: Scanner::default(),
            chunks: Chunks::default(),
            rest: Vec::new(),
            out: dialect.first(Who { door, channel }),
        })
    }

    /// Its socket, to wait for.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Bytes that the socket has not taken.
    pub fn unsent(&self) -> usize {
        self.out.len()
    }

    fn who<'a>(&self, door: &'a Door) -> Who<'a> {
        Who { door, channel: self.place.as_ref().map(|place| place.channel) }
    }

    /// Puts a message on its way; [`flush`](Self::flush) sends it.
    pub fn say(&mut self, message: &[u8]) {
        match self.carrier {
            Carrier::Text => frame::write_masked(frame::TEXT, message, &mut self.out),
            Carrier::Binary => frame::write_masked(frame::BINARY, message, &mut self.out),
            Carrier::Response | Carrier::Plain => self.out.extend_from_slice(message),
        }
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self, door: &Door) -> Result<(), String> {
        if self.stage == Stage::Connecting {
            match self.socket.take_error() {
                Ok(None) => self.connected(door),
                Ok(Some(error)) | Err(error) => return Err(format!("cannot connect: {error}")),
            }
        }
        write_some(&mut self.socket, &mut self.out).map_err(|error| lost(&error))?;
        self.waits = !self.out.is_empty();
        if !self.waits {
            self.out.shrink_to(if self.place.is_some() { 0 } else { 64 * 1024 });
        }
        Ok(())
    }

    fn connected(&mut self, door: &Door) {
        self.stage = match self.carrier {
            Carrier::Text | Carrier::Binary | Carrier::Response => Stage::Shaking,
            Carrier::Plain if self.dialect.lets_in(self.who(door)) => Stage::Open,
            Carrier::Plain => Stage::Joining,
        };
    }

    /// Reads once, and does what the bytes say.
    pub fn read(
        &mut self,
        door: &Door,
        board: &mut Board,
        buffer: &mut [u8],
    ) -> Result<(), String> {
        let count = match self.socket.read(buffer) {
            Ok(0) => return Err("the server ended the connection".into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(lost(&error)),
        };
        board.tally.bytes += count as u64;
        board.tally.reads += 1;
        let mut around = Around { door, board, now: Instant::now() };
        match self.stage {
            Stage::Shaking | Stage::Connecting => self.read_head(&mut around, &buffer[..count])?,
            _ => self.read_body(&mut around, &buffer[..count])?,
        }
        if self.out.is_empty() { Ok(()) } else { self.flush(door) }
    }

    fn read_head(&mut self, around: &mut Around<'_>, bytes: &[u8]) -> Result<(), String> {
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let Some(head) = head(&rest) else {
            let long = rest.len() > HEAD_BYTES_MAX;
            self.rest = rest;
            return if long { Err("the handshake was not answered".into()) } else { Ok(()) };
        };
        let wanted = if self.carrier == Carrier::Response { 200 } else { 101 };
        if head.status != wanted {
            let line = rest.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
            return Err(format!("the handshake was refused: {line}"));
        }
        self.chunks.chunked = self.carrier == Carrier::Response && head.chunked();
        let who = self.who(around.door);
        self.stage = if self.dialect.lets_in(who) { Stage::Open } else { Stage::Joining };
        let greeting = self.dialect.greeting(who);
        if !greeting.is_empty() {
            self.say(&greeting);
        }
        self.read_body(around, &rest[head.length..])
    }

    fn read_body(&mut self, around: &mut Around<'_>, bytes: &[u8]) -> Result<(), String> {
        match self.carrier {
            Carrier::Text | Carrier::Binary => self.read_frames(around, bytes),
            Carrier::Plain => self.hear(around, bytes),
            Carrier::Response => {
                let mut chunks = std::mem::take(&mut self.chunks);
                let mut outcome = Ok(());
                let fed = chunks.feed(bytes, |piece| {
                    if outcome.is_ok() {
                        outcome = self.hear(around, piece);
                    }
                });
                self.chunks = chunks;
                fed.map_err(|end| match end {
                    End::Over => "the server ended the response".to_owned(),
                    End::Malformed => "the server sent what are no chunks".to_owned(),
                })?;
                outcome
            }
        }
    }

    fn read_frames(&mut self, around: &mut Around<'_>, bytes: &[u8]) -> Result<(), String> {
        let mut scanner = std::mem::take(&mut self.scanner);
        let mut outcome = Ok(());
        let scanned = scanner.feed(bytes, |frame| match frame.opcode {
            _ if outcome.is_err() => {}
            frame::TEXT | frame::BINARY => outcome = self.hear(around, frame.payload),
            frame::PING => frame::write_masked(frame::PONG, frame.payload, &mut self.out),
            frame::CLOSE => outcome = Err("the server closed the connection".into()),
            _ => {}
        });
        self.scanner = scanner;
        scanned.map_err(|_| "the server sent what is no WebSocket frame".to_owned())?;
        outcome
    }

    /// Takes all messages that are whole; the beginning of another one is kept.
    fn hear(&mut self, around: &mut Around<'_>, bytes: &[u8]) -> Result<(), String> {
        if self.rest.is_empty() {
            let heard = self.hear_whole(around, bytes)?;
            self.rest.extend_from_slice(&bytes[heard..]);
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let heard = self.hear_whole(around, &all)?;
        if all.len() - heard > MESSAGE_BYTES_MAX {
            return Err("the server sent a message without an end".into());
        }
        // An idle connection holds no memory.
        self.rest = all[heard..].to_vec();
        Ok(())
    }

    fn hear_whole(&mut self, around: &mut Around<'_>, bytes: &[u8]) -> Result<usize, String> {
        let (who, mut heard) = (self.who(around.door), 0);
        while heard < bytes.len() {
            let Some((message, length)) = self.dialect.next(who, &bytes[heard..]) else { break };
            heard += length;
            self.take(around, message)?;
        }
        Ok(heard)
    }

    fn take(&mut self, around: &mut Around<'_>, heard: Heard<'_>) -> Result<(), String> {
        match (heard, &mut self.place) {
            (Heard::Publication(message), Some(place)) if self.stage == Stage::Open => {
                around.board.deliver(place, message, around.now);
            }
            (Heard::Joined, _) if self.stage == Stage::Joining => self.stage = Stage::Open,
            (Heard::Answer(answer), _) => self.say(&answer),
            (Heard::Refused(why), _) => return Err(why),
            (Heard::Lagged, _) => around.board.tally.lagged += 1,
            (Heard::Gap, Some(place)) => {
                around.board.tally.gaps += 1;
                place.lose();
            }
            _ => {}
        }
        Ok(())
    }

    /// Says that it goes for good, as far as the socket takes it.
    pub fn part(&mut self, door: &Door) {
        let socket = matches!(self.carrier, Carrier::Text | Carrier::Binary);
        if self.stage == Stage::Open && socket {
            frame::write_masked(frame::CLOSE, &1000_u16.to_be_bytes(), &mut self.out);
            // Nobody waits for whether it was heard.
            let _ = self.flush(door);
        }
        self.stage = Stage::Gone;
    }
}

fn lost(error: &io::Error) -> String {
    format!("the connection was lost: {}", error.kind())
}
