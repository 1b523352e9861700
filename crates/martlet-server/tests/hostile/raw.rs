//! A client that sends any bytes it likes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::PATIENCE;

/// A connection without manners.
pub struct Raw {
    pub stream: TcpStream,
    /// What came and was not looked at yet.
    pub ahead: Vec<u8>,
}

/// An answer of HTTP/1.
pub struct Answer {
    pub status: u16,
    /// Names in small letters.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.fields, String::from_utf8_lossy(&self.body))
    }
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {}", self.status, self.text()))
    }

    /// Status and code, of an answer that has to be a refusal with a sentence.
    pub fn refusal(&self) -> (u16, u64) {
        let json = self.json();
        for key in ["name", "message", "hint"] {
            let words = json[key].as_str().unwrap_or_default();
            assert!(words.len() > 2, "a refusal has a {key}: {json}");
        }
        (self.status, json["code"].as_u64().unwrap())
    }
}

impl Raw {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, ahead: Vec::new() }
    }

    /// One request by itself.
    pub fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
        let mut raw = Self::open(address);
        raw.say(request);
        raw.answer()
    }

    pub fn get(address: SocketAddr, path: &str) -> Answer {
        Self::ask(
            address,
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        )
    }

    pub fn post(address: SocketAddr, path: &str, body: impl AsRef<[u8]>) -> Answer {
        Self::post_as(address, path, "application/json", body)
    }

    pub fn post_as(address: SocketAddr, path: &str, kind: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        Self::ask(address, request)
    }

    /// Sends, unless the other side has had enough.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Whether something has come, if only the end.
    pub fn readable(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Reads more. False at the end, orderly or not.
    pub fn more(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => {
                    self.ahead.extend_from_slice(&bytes[..count]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    panic!("nothing came in {PATIENCE:?}")
                }
                Err(_) => return false,
            }
        }
    }

    /// Reads until there are `count` bytes, and takes them; `None` if the connection ends before.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            if !self.more() {
                return None;
            }
        }
        Some(self.ahead.drain(..count).collect())
    }

    /// Reads up to and with `mark`.
    pub fn until(&mut self, mark: &str) -> Vec<u8> {
        loop {
            let found = self.ahead.windows(mark.len()).position(|part| part == mark.as_bytes());
            if let Some(at) = found {
                return self.ahead.drain(..at + mark.len()).collect();
            }
            let shown = String::from_utf8_lossy(&self.ahead).into_owned();
            assert!(self.more(), "the connection ended before {mark:?} came: {shown:?}");
        }
    }

    /// Reads an answer.
    pub fn answer(&mut self) -> Answer {
        let head = String::from_utf8(self.until("\r\n\r\n")).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, fields, body: Vec::new() };
        let length = answer.field("content-length").map(|length| length.parse().unwrap());
        answer.body = match length {
            Some(length) => self.take(length).expect("the body is as long as it says"),
            None => Vec::new(),
        };
        answer
    }

    /// Reads to the end of the connection, and says what came until then.
    pub fn ended(&mut self) -> Vec<u8> {
        while self.more() {
            assert!(self.ahead.len() < 64 << 20, "it never ends");
        }
        std::mem::take(&mut self.ahead)
    }

    /// Waits for the end, and says how long it took.
    pub fn cut_after(&mut self) -> Duration {
        let begun = Instant::now();
        self.ended();
        begun.elapsed()
    }
}
