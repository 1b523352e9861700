//! Polls on one kept-alive connection, as lines or as scripts. One is always under way: what it is
//! answered waits in the connection until somebody asks for the next event.

use std::collections::VecDeque;
use std::net::SocketAddr;

use martlet_client::{Cursor, Position};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::events::PlainEvent;
use super::formats::whole;
use super::{Came, End, TurnedAway};

pub struct Polls {
    socket: TcpStream,
    address: SocketAddr,
    bytes: Vec<u8>,
    /// Whether the answers are scripts.
    scripts: bool,
    /// What a plain poll asks for, without its cursor.
    plain: Option<String>,
    session: String,
    batch: u64,
    came: VecDeque<Came>,
    closed: bool,
}

impl Polls {
    /// Begins a session by its first frame, or else polls by `path`, plainly.
    pub async fn open(
        address: SocketAddr,
        scripts: bool,
        first: Result<Vec<u8>, String>,
    ) -> Result<Self, TurnedAway> {
        let mut polls = Self {
            socket: super::connected(address).await,
            address,
            bytes: Vec::new(),
            scripts,
            plain: first.as_ref().err().cloned(),
            session: String::new(),
            batch: 0,
            came: VecDeque::new(),
            closed: false,
        };
        let (method, path, body) = match first {
            Err(path) => ("GET", path, Vec::new()),
            Ok(frame) if scripts => {
                let frame = String::from_utf8(frame).unwrap();
                let connect: String = form_urlencoded::byte_serialize(frame.as_bytes()).collect();
                let query = format!("callback=a.b&protocol=martlet.v1.json&connect={connect}");
                ("GET", format!("/v1/jsonp?{query}"), Vec::new())
            }
            Ok(frame) => ("POST", "/v1/poll?protocol=martlet.v1.json".to_owned(), frame),
        };
        polls.ask(method, &path, &body).await;
        polls.take_answer().await?;
        polls.begin_plain(&path);
        Ok(polls)
    }

    /// A plain poll begins where it asked to, or before the first that it was given.
    fn begin_plain(&mut self, path: &str) {
        let Some(next) = &self.plain else { return };
        let cursor_of = |path: &str| Some(path.split_once("cursor=")?.1.replace("%25", "%"));
        let (asked, now) = (cursor_of(path), cursor_of(next).unwrap());
        let id = asked.unwrap_or_else(|| before(&now, &self.came));
        let begun = PlainEvent { id: Some(id), ..PlainEvent::default() };
        self.came.push_front(Came::Event(begun));
    }

    pub async fn next(&mut self) -> Came {
        loop {
            if let Some(came) = self.came.pop_front() {
                return came;
            }
            if self.closed {
                return Came::Ended(End::Whole);
            }
            if let Err(turned_away) = self.take_answer().await {
                return self.turned_away(&turned_away);
            }
        }
    }

    /// A node that stops refuses whoever comes anew, as a plain poll always does.
    fn turned_away(&mut self, turned_away: &TurnedAway) -> Came {
        self.closed = true;
        let mut close = turned_away.error.clone();
        if self.plain.is_none() || close["code"] != 3000 {
            return Came::Ended(End::Cut);
        }
        close["reconnect"] = Value::Bool(true);
        let mut object = Value::Object(serde_json::Map::default());
        object["close"] = close;
        Came::Event(whole(&object))
    }

    async fn ask(&mut self, method: &str, path: &str, body: &[u8]) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        // What cannot be sent is seen by what does not come.
        let _ = self.socket.write_all(&[head.as_bytes(), body].concat()).await;
    }

    async fn ask_on(&mut self) {
        let path = match &self.plain {
            Some(path) => path.clone(),
            None if self.scripts => {
                format!("/v1/jsonp?callback=a.b&session={}&batch={}", self.session, self.batch)
            }
            None => format!("/v1/poll?session={}&batch={}", self.session, self.batch),
        };
        self.ask("GET", &path, b"").await;
    }

    /// Reads an answer, and asks for the next.
    async fn take_answer(&mut self) -> Result<(), TurnedAway> {
        let Some((status, body)) = self.answer().await else {
            self.closed = true;
            self.came.push_back(Came::Ended(End::Cut));
            return Ok(());
        };
        if status != 200 && status != 204 {
            let error = serde_json::from_str(&body).unwrap();
            return Err(TurnedAway { status, error });
        }
        for json in if self.scripts { elements(&body) } else { lines(&body) } {
            self.take(&json);
        }
        if !self.closed {
            self.ask_on().await;
        }
        Ok(())
    }

    fn take(&mut self, json: &Value) {
        if let Some(batch) = json["batch"].as_u64() {
            self.batch = batch;
            return;
        }
        if let Some(key) = json["connected"]["session"].as_str() {
            self.session = key.to_owned();
        }
        self.closed |= json["close"].is_object();
        if self.plain.is_none() {
            return self.came.push_back(Came::Frame(json.to_string().into_bytes()));
        }
        let event = plain(json);
        if let (Some(path), Some(cursor)) = (&mut self.plain, json["cursor"].as_str()) {
            let end = path.find("&cursor=").unwrap_or(path.len());
            path.truncate(end);
            path.push_str(&format!("&cursor={}", cursor.replace('%', "%25")));
        }
        self.came.extend(event.map(Came::Event));
    }

    /// The status and the body of the next answer; `None` if the connection has ended.
    async fn answer(&mut self) -> Option<(u16, String)> {
        let end = loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.bytes.drain(..end).collect()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while self.bytes.len() < length {
            self.more().await?;
        }
        let body = self.bytes.drain(..length).collect();
        Some((head[9..12].parse().unwrap(), String::from_utf8(body).unwrap()))
    }

    async fn more(&mut self) -> Option<()> {
        let count = self.socket.read_buf(&mut self.bytes).await.unwrap_or(0);
        (count > 0).then_some(())
    }
}

/// A cursor as it was before some publications.
fn before(cursor: &str, came: &VecDeque<Came>) -> String {
    let mut cursor = Cursor::parse(cursor).unwrap();
    for came in came.iter().rev() {
        let Came::Event(PlainEvent { id: Some(id), data: Some(_), .. }) = came else { continue };
        let ids = Cursor::parse(id).unwrap();
        let before = cursor.iter().map(|(channel, position)| {
            let offset = ids.position(channel).map_or(position.offset, |it| it.offset - 1);
            (channel.clone(), Position { offset, ..*position })
        });
        cursor = Cursor::new(before.collect());
    }
    cursor.to_string()
}

/// A plain object. Publications have their place in themselves, where no cursor is beside them.
fn plain(object: &Value) -> Option<PlainEvent> {
    let mut event = whole(object);
    let place = |it: &Value| {
        let channel = it["channel"].as_str()?;
        Some(format!("{}.{}.{channel}", it["offset"], it["epoch"].as_str()?))
    };
    let named = ["publication", "gap"].iter().find_map(|name| place(&object[*name]));
    event.id = event.id.or(named);
    Some(event)
}

fn lines(body: &str) -> Vec<Value> {
    assert!(body.is_empty() || body.ends_with('\n'), "{body:?}");
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn elements(body: &str) -> Vec<Value> {
    assert!(!body.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{body}");
    let array = body.strip_prefix("/**/a.b(").unwrap().strip_suffix(");\n").unwrap();
    let Value::Array(elements) = serde_json::from_str(array).unwrap() else { panic!("{body}") };
    elements
}
