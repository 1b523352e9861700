//! HTTP/1.1 as far as a test needs it: one request on a connection of its own, and the body as it
//! comes. A proxy in front deals every request out anew.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// After how long a silence a connection counts as lost. Signs of life come every second.
const SILENCE: Duration = Duration::from_secs(4);

/// How the length of a body is told.
enum Length {
    Chunks,
    Bytes(usize),
    ToTheEnd,
}

/// An answer whose body is still coming.
pub struct Held {
    pub status: u16,
    socket: TcpStream,
    bytes: Vec<u8>,
    text: Vec<u8>,
    length: Length,
    ended: bool,
    silence: Duration,
}

/// A request: method, path, headers and body.
pub struct Ask<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a str,
}

impl<'a> Ask<'a> {
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, headers: &[], body: "" }
    }

    pub fn post(path: &'a str, body: &'a str) -> Self {
        Self { method: "POST", path, headers: &[], body }
    }

    pub fn with(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    /// Asks, and gives the status and the whole body.
    pub async fn whole(self, at: SocketAddr, silence: Duration) -> io::Result<(u16, String)> {
        let mut held = Held::open(at, self, silence).await?;
        while held.more().await? {}
        Ok((held.status, String::from_utf8_lossy(&held.text).into_owned()))
    }

    /// The same, of JSON.
    pub async fn json(self, at: SocketAddr) -> io::Result<(u16, Value)> {
        let (status, body) = self.whole(at, SILENCE).await?;
        Ok((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
    }

    fn written(&self, at: SocketAddr) -> String {
        let Self { method, path, headers, body } = self;
        let headers: String =
            headers.iter().map(|(name, is)| format!("{name}: {is}\r\n")).collect();
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        )
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

impl Held {
    /// Asks, and waits for the head of the answer.
    pub async fn open(at: SocketAddr, ask: Ask<'_>, silence: Duration) -> io::Result<Self> {
        let mut socket = tokio::time::timeout(silence, TcpStream::connect(at)).await??;
        socket.write_all(ask.written(at).as_bytes()).await?;
        let (bytes, text, length) = (Vec::new(), Vec::new(), Length::ToTheEnd);
        let mut held = Self { status: 0, socket, bytes, text, length, ended: false, silence };
        let end = loop {
            if let Some(end) = find(&held.bytes, b"\r\n\r\n") {
                break end;
            }
            if !held.fill().await? {
                return Err(broken("no head"));
            }
        };
        let head = String::from_utf8_lossy(&held.bytes[..end]).to_ascii_lowercase();
        held.bytes.drain(..end + 4);
        held.read_head(&head)?;
        Ok(held)
    }

    fn read_head(&mut self, head: &str) -> io::Result<()> {
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        self.status = status.ok_or_else(|| broken("no status"))?;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        self.length = match field("content-length:") {
            _ if field("transfer-encoding:").is_some() => Length::Chunks,
            Some(length) => Length::Bytes(length.trim().parse().map_err(|_| broken("length"))?),
            None if self.status == 204 => Length::Bytes(0),
            None => Length::ToTheEnd,
        };
        Ok(())
    }

    async fn fill(&mut self) -> io::Result<bool> {
        let mut room = [0; 16 * 1024];
        let read = tokio::time::timeout(self.silence, self.socket.read(&mut room)).await??;
        self.bytes.extend_from_slice(&room[..read]);
        Ok(read > 0)
    }

    /// Takes in more of the body; false at its end. A body that is cut off is an error.
    async fn more(&mut self) -> io::Result<bool> {
        loop {
            if self.ended {
                return Ok(false);
            }
            if self.decode()? {
                return Ok(true);
            }
            if !self.ended && !self.fill().await? {
                match self.length {
                    Length::ToTheEnd => self.ended = true,
                    _ => return Err(ErrorKind::UnexpectedEof.into()),
                }
            }
        }
    }

    /// Moves what is whole of the body to the text; false if that is nothing.
    fn decode(&mut self) -> io::Result<bool> {
        match &mut self.length {
            Length::ToTheEnd => {
                let some = !self.bytes.is_empty();
                self.text.append(&mut self.bytes);
                Ok(some)
            }
            Length::Bytes(left) => {
                let take = (*left).min(self.bytes.len());
                *left -= take;
                self.ended = *left == 0;
                self.text.extend(self.bytes.drain(..take));
                Ok(take > 0)
            }
            Length::Chunks => {
                let Some(end) = find(&self.bytes, b"\r\n") else { return Ok(false) };
                let size = std::str::from_utf8(&self.bytes[..end]).unwrap_or_default();
                let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken("chunk"))?;
                if self.bytes.len() < end + 2 + size + 2 {
                    return Ok(false);
                }
                self.ended = size == 0;
                self.text.extend_from_slice(&self.bytes[end + 2..end + 2 + size]);
                self.bytes.drain(..end + 2 + size + 2);
                Ok(size > 0)
            }
        }
    }

    /// The next line of the body; `None` at its end.
    pub async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = find(&self.text, b"\n") {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if !self.more().await? {
                let rest = std::mem::take(&mut self.text);
                let rest = String::from_utf8_lossy(&rest).into_owned();
                return Ok((!rest.is_empty()).then_some(rest));
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
