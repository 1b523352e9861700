//! One client on a socket of its own, whose bytes are counted both ways.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::dialect::{answer, handshake, number_of, request, text_of};
use super::way::{Course, Way};
use super::{Bytes, PATIENCE};
use crate::command::bench::dialect::{Who, martlet};
use crate::command::bench::door::Door;
use crate::command::bench::frame::{self, Frame, Scanner};

use crate::failure::Failure;

/// What every message has in it, and nothing else has.
pub const MARK: &str = "a-message-";

/// When a client that polls without waiting asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// When the last answer came.
    AtOnce,
    /// So long after it.
    Every(Duration),
    /// When it is told to.
    WhenAsked,
}

/// A client.
pub struct Client {
    shared: Rc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    up: Cell<u64>,
    down: Cell<u64>,
    messages: Cell<usize>,
    follows: Cell<bool>,
    failure: RefCell<Option<String>>,
    changed: Notify,
    ask: Notify,
}

impl Client {
    /// Connects, and waits until the client follows its channel.
    pub async fn open(
        door: &Door,
        way: Way,
        channel: usize,
        pace: Pace,
        lean: bool,
    ) -> Result<Self, Failure> {
        let shared = Rc::new(Shared::default());
        let socket = TcpStream::connect(door.address).await;
        let socket = socket.map_err(|error| Failure::failed(format!("cannot connect: {error}")))?;
        let talk = Talk {
            door: door.clone(),
            way,
            pace,
            lean,
            channel,
            socket,
            shared: Rc::clone(&shared),
            seen: Vec::new(),
        };
        let task = tokio::task::spawn_local(talk.run());
        let client = Self { shared, task };
        let follows = tokio::time::timeout(PATIENCE, client.wait(|shared| shared.follows.get()));
        let late = |_| Failure::failed(format!("{}: it does not begin", way.name()));
        follows.await.map_err(late)??;
        Ok(client)
    }

    /// What has gone each way.
    pub fn bytes(&self) -> Bytes {
        Bytes { up: self.shared.up.get() as f64, down: self.shared.down.get() as f64 }
    }

    /// Has a client that waits for it poll now.
    pub fn ask_now(&self) {
        self.shared.ask.notify_one();
    }

    /// Waits until so many messages have come.
    pub async fn until(&mut self, messages: usize) -> Result<(), Failure> {
        self.wait(|shared| shared.messages.get() >= messages).await
    }

    async fn wait(&self, done: impl Fn(&Shared) -> bool) -> Result<(), Failure> {
        loop {
            let changed = self.shared.changed.notified();
            if let Some(failure) = self.shared.failure.borrow().as_ref() {
                return Err(Failure::failed(failure.clone()));
            }
            if done(&self.shared) {
                return Ok(());
            }
            changed.await;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The conversation of one client.
struct Talk {
    door: Door,
    way: Way,
    pace: Pace,
    lean: bool,
    channel: usize,
    socket: TcpStream,
    shared: Rc<Shared>,
    /// What came and is not read over yet.
    seen: Vec<u8>,
}

impl Talk {
    async fn run(mut self) {
        let ended = match self.way.course() {
            Course::Messages => self.messages().await,
            Course::Stream => self.stream().await,
            Course::Polls => self.polls().await,
        };
        let why = ended.err().unwrap_or_else(|| "the connection ended".into());
        *self.shared.failure.borrow_mut() = Some(format!("{}: {why}", self.way.name()));
        self.shared.changed.notify_one();
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.shared.up.set(self.shared.up.get() + bytes.len() as u64);
        self.socket.write_all(bytes).await.map_err(|error| error.to_string())
    }

    /// Reads more; false at the end.
    async fn hear(&mut self) -> Result<bool, String> {
        let count = self.socket.read_buf(&mut self.seen).await;
        let count = count.map_err(|error| error.to_string())?;
        self.shared.down.set(self.shared.down.get() + count as u64);
        Ok(count > 0)
    }

    /// Counts the messages in what was read over.
    fn count(&self, text: &[u8]) {
        let mark = MARK.as_bytes();
        let found = text.windows(mark.len()).filter(|window| *window == mark).count();
        self.shared.messages.set(self.shared.messages.get() + found);
        self.shared.changed.notify_one();
    }

    fn follows(&self) {
        self.shared.follows.set(true);
        self.shared.changed.notify_one();
    }

    async fn stream(&mut self) -> Result<(), String> {
        let (path, body) = self.way.first(&self.door, self.channel);
        let request = request(&self.door, &path, body.as_deref(), self.lean);
        self.say(&request).await?;
        while self.hear().await? {
            if !self.shared.follows.get() {
                let text = String::from_utf8_lossy(&self.seen);
                let begun = ["\"subscribed\"", "cursor\"", "Cursor: ", "\nid: "];
                if !begun.iter().any(|mark| text.contains(mark)) {
                    continue;
                }
                self.follows();
            }
            self.count(&self.seen);
            // The rest may be the beginning of a mark.
            let rest = self.seen.len().min(MARK.len() - 1);
            self.seen.drain(..self.seen.len() - rest);
        }
        Ok(())
    }

    async fn messages(&mut self) -> Result<(), String> {
        self.say(&handshake(&self.door, self.lean)).await?;
        while !self.seen.ends_with(b"\r\n\r\n") {
            if !self.hear().await? {
                return Err("the handshake failed".into());
            }
        }
        self.seen.clear();
        let mut frame = Vec::new();
        frame::write_masked(
            frame::TEXT,
            &martlet::connect(Who { door: &self.door, channel: Some(self.channel) }),
            &mut frame,
        );
        self.say(&frame).await?;
        let mut scanner = Scanner::default();
        while self.hear().await? {
            let (mut answers, mut texts) = (Vec::new(), Vec::new());
            let seen = std::mem::take(&mut self.seen);
            let scanned = scanner.feed(&seen, |frame: Frame<'_>| {
                let text = String::from_utf8_lossy(frame.payload);
                if text.contains("{\"ping\":") {
                    frame::write_masked(frame::TEXT, b"{\"pong\":{}}", &mut answers);
                }
                texts.extend_from_slice(frame.payload);
            });
            scanned.map_err(|_| "a frame that is none".to_owned())?;
            if String::from_utf8_lossy(&texts).contains("\"subscribed\"") {
                self.follows();
            }
            self.count(&texts);
            if !answers.is_empty() {
                self.say(&answers).await?;
            }
        }
        Ok(())
    }

    async fn polls(&mut self) -> Result<(), String> {
        let (first, mut body) = self.way.first(&self.door, self.channel);
        let (mut path, mut session) = (first.clone(), String::new());
        loop {
            let request = request(&self.door, &path, body.take().as_deref(), self.lean);
            self.say(&request).await?;
            let (status, text) = self.answer().await?;
            if !matches!(status, 200 | 204) {
                return Err(format!("answered {status} {text}"));
            }
            self.count(text.as_bytes());
            if let Some(key) = text_of(&text, "session") {
                session = key.to_owned();
            }
            if let Some(batch) = number_of(&text, "batch") {
                path = format!("/v1/poll?session={session}&batch={batch}");
            } else if let Some(cursor) = text_of(&text, "cursor") {
                path = format!("{first}&cursor={}", cursor.replace('%', "%25"));
            }
            let begun = text.contains("\"subscribed\"") || text_of(&text, "cursor").is_some();
            if begun && !self.shared.follows.get() {
                self.follows();
            }
            self.wait().await;
        }
    }

    async fn answer(&mut self) -> Result<(u16, String), String> {
        loop {
            if let Some((status, body, end)) = answer(&self.seen) {
                let body = body.to_owned();
                self.seen.drain(..end);
                return Ok((status, body));
            }
            if !self.hear().await? {
                return Err("the connection ended".into());
            }
        }
    }

    async fn wait(&self) {
        match self.pace {
            Pace::AtOnce => {}
            Pace::Every(interval) => tokio::time::sleep(interval).await,
            Pace::WhenAsked => self.shared.ask.notified().await,
        }
    }
}
