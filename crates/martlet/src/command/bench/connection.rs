//! One client of the generator: a bare socket that shakes hands, says `connect`, and from then on
//! only counts what comes. It is moved on by its crowd when its socket is ready.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::board::{Board, Place};
use super::frame::{self, Frame, Scanner};
use super::target::Door;

/// How every publication begins. What begins otherwise is decoded.
const PUBLICATION: &[u8] = br#"{"publication":"#;

/// What others in the channel do; nothing comes of it here.
const OTHERS: [&[u8]; 2] = [br#"{"join":"#, br#"{"leave":"#];

/// The longest answer to the handshake.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its socket is being connected.
    Connecting,
    /// The handshake is on its way.
    Shaking,
    /// `connect` is on its way.
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
    /// How far it has come.
    pub stage: Stage,
    /// When it began.
    pub begun: Instant,
    /// Its place in the channel that it follows, if it does.
    pub place: Option<Place>,
    /// Whether bytes wait for the socket to take them.
    pub waits: bool,
    head: Vec<u8>,
    scanner: Scanner,
    out: Vec<u8>,
}

impl Connection {
    /// Begins to connect.
    pub fn begin(door: &Door, channel: Option<usize>) -> io::Result<Self> {
        let domain = Domain::for_address(door.address);
        let socket =
            Socket::new(domain, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&SockAddr::from(door.address)) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(error);
            }
            _ => {}
        }
        Ok(Self {
            socket: socket.into(),
            stage: Stage::Connecting,
            begun: Instant::now(),
            place: channel.map(Place::new),
            waits: true,
            head: Vec::new(),
            scanner: Scanner::default(),
            out: door.handshake(),
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

    /// Puts a message on its way; [`flush`](Self::flush) sends it.
    pub fn say(&mut self, message: &[u8]) {
        frame::write_masked(frame::TEXT, message, &mut self.out);
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) -> Result<(), String> {
        if self.stage == Stage::Connecting {
            match self.socket.take_error() {
                Ok(None) => self.stage = Stage::Shaking,
                Ok(Some(error)) | Err(error) => return Err(format!("cannot connect: {error}")),
            }
        }
        let mut sent = 0;
        while sent < self.out.len() {
            match self.socket.write(&self.out[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(&error)),
            }
        }
        self.out.drain(..sent);
        self.waits = !self.out.is_empty();
        if !self.waits {
            self.out.shrink_to(4096);
        }
        Ok(())
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
        match self.stage {
            Stage::Shaking | Stage::Connecting => self.read_head(door, board, &buffer[..count]),
            _ => self.read_frames(board, &buffer[..count]),
        }
    }

    fn read_head(&mut self, door: &Door, board: &mut Board, bytes: &[u8]) -> Result<(), String> {
        self.head.extend_from_slice(bytes);
        let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
            let long = self.head.len() > HEAD_BYTES_MAX;
            return if long { Err("the handshake was not answered".into()) } else { Ok(()) };
        };
        let head = std::mem::take(&mut self.head);
        if !head.starts_with(b"HTTP/1.1 101") {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
            return Err(format!("the handshake was refused: {line}"));
        }
        self.stage = Stage::Joining;
        let connect = door.connect(self.place.as_ref().map(|place| place.channel));
        self.say(&connect);
        self.flush()?;
        self.read_frames(board, &head[end + 4..])
    }

    fn read_frames(&mut self, board: &mut Board, bytes: &[u8]) -> Result<(), String> {
        let now = Instant::now();
        let mut scanner = std::mem::take(&mut self.scanner);
        let mut outcome = Ok(());
        let scanned = scanner.feed(bytes, |frame| match (&mut self.place, self.stage) {
            (Some(place), Stage::Open) if frame.payload.starts_with(PUBLICATION) => {
                board.deliver(place, frame.payload, now);
            }
            _ if OTHERS.iter().any(|event| frame.payload.starts_with(event)) => {}
            _ if outcome.is_ok() => outcome = self.take_frame(board, frame),
            _ => {}
        });
        self.scanner = scanner;
        scanned.map_err(|_| "the server sent what is no WebSocket frame".to_owned())?;
        outcome?;
        if self.out.is_empty() { Ok(()) } else { self.flush() }
    }

    /// Everything but publications.
    fn take_frame(&mut self, board: &mut Board, frame: Frame<'_>) -> Result<(), String> {
        match frame.opcode {
            frame::TEXT => {
                let lines = frame.payload.split(|byte| *byte == b'\n');
                lines.map(serde_json::from_slice).try_for_each(|event| match event {
                    Ok(event) => self.take_event(board, &event),
                    Err(_) => Err("the server sent what is no JSON".into()),
                })
            }
            frame::PING => {
                frame::write_masked(frame::PONG, frame.payload, &mut self.out);
                Ok(())
            }
            frame::CLOSE => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }

    fn take_event(&mut self, board: &mut Board, event: &Value) -> Result<(), String> {
        let has = |name| event.get(name).is_some();
        if has("ping") {
            self.say(json!({"pong": {}}).to_string().as_bytes());
        } else if let Some(refusal) = event.get("error").or_else(|| event.get("close")) {
            return Err(sentence(refusal));
        } else if has("subscribed") || has("connected") && self.place.is_none() {
            self.stage = Stage::Open;
        } else if let Some(place) = &mut self.place {
            board.tally.lagged += u64::from(has("lagged"));
            if has("gap") {
                place.lose();
            }
        }
        Ok(())
    }

    /// Says that it goes for good, as far as the socket takes it.
    pub fn part(&mut self) {
        if matches!(self.stage, Stage::Open) {
            frame::write_masked(frame::CLOSE, &1000_u16.to_be_bytes(), &mut self.out);
            // Nobody waits for whether it was heard.
            let _ = self.flush();
        }
        self.stage = Stage::Gone;
    }
}

fn lost(error: &io::Error) -> String {
    format!("the connection was lost: {}", error.kind())
}

/// A refusal in words: its message, number and hint.
fn sentence(refusal: &Value) -> String {
    let text = |name: &str| refusal.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = refusal.get("code").and_then(Value::as_u64).unwrap_or(0);
    format!("the server refused: {} ({number}) {}", text("message"), text("hint"))
}
