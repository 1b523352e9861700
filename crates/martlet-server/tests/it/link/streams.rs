//! A stream of events over HTTP/1.1, read chunk by chunk, or over HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::events::PlainEvent;
use super::formats::Format;
use super::{End, TurnedAway};

/// A stream of events.
pub struct Stream {
    source: Source,
    reader: Format,
}

/// What is asked for.
pub struct Request {
    pub http2: bool,
    pub path: String,
    pub last_event_id: Option<String>,
    pub body: Option<Vec<u8>>,
    pub format: Format,
}

enum Source {
    Http1(Chunks),
    Http2(Body),
}

/// A body in chunks on a socket.
struct Chunks {
    socket: TcpStream,
    bytes: Vec<u8>,
}

/// A body of HTTP/2. Its window is small, so that what is not asked for stays with the server.
struct Body {
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Stream {
    pub async fn open(address: SocketAddr, request: Request) -> Result<Self, TurnedAway> {
        let source = match request.http2 {
            true => Source::Http2(Body::open(address, &request).await?),
            false => Source::Http1(Chunks::open(address, &request).await?),
        };
        Ok(Self { source, reader: request.format })
    }

    /// The next event, or how the stream ended.
    pub async fn next(&mut self) -> Result<PlainEvent, End> {
        loop {
            if let Some(event) = self.reader.next() {
                return Ok(event);
            }
            let more = match &mut self.source {
                Source::Http1(chunks) => chunks.next().await,
                Source::Http2(body) => body.next().await,
            };
            match more {
                Ok(bytes) => self.reader.push(&bytes),
                Err(End::Whole) if !self.reader.between() => return Err(End::Cut),
                Err(end) => return Err(end),
            }
        }
    }
}

impl Chunks {
    async fn open(address: SocketAddr, request: &Request) -> Result<Self, TurnedAway> {
        let Request { path, last_event_id, body, format, .. } = request;
        let (last_event_id, body) = (last_event_id.clone(), body.clone());
        let method = if body.is_some() { "POST" } else { "GET" };
        let body = body.unwrap_or_default();
        let id = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{id}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let mut socket = super::connected(address).await;
        socket.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        let mut chunks = Self { socket, bytes: Vec::new() };
        let head = chunks.head().await;
        let status: u16 = head[9..12].parse().unwrap();
        if status != 200 {
            let mut bytes = chunks.bytes;
            chunks.socket.read_to_end(&mut bytes).await.unwrap();
            let error = serde_json::from_slice(&bytes).unwrap();
            return Err(TurnedAway { status, error });
        }
        let head = head.to_ascii_lowercase();
        assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
        let content_type = format!("\r\ncontent-type: {}", format.content_type());
        assert!(head.contains(&content_type), "{head}");
        assert!(!head.contains("\r\ncontent-length:"), "{head}");
        Ok(chunks)
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.bytes.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.more().await, "the answer has a head");
        }
    }

    /// The next chunk.
    async fn next(&mut self) -> Result<Vec<u8>, End> {
        loop {
            if let Some((begin, len)) = self.chunk() {
                let rest = self.bytes.split_off(begin + len + 2);
                let mut chunk = std::mem::replace(&mut self.bytes, rest);
                assert!(chunk.ends_with(b"\r\n"), "a chunk ends with a line end");
                chunk.truncate(begin + len);
                return if len == 0 { Err(End::Whole) } else { Ok(chunk.split_off(begin)) };
            }
            if !self.more().await {
                return Err(End::Cut);
            }
        }
    }

    /// Where the first chunk begins and how long it is, if all of it is here.
    fn chunk(&self) -> Option<(usize, usize)> {
        let end = self.bytes.windows(2).position(|two| two == b"\r\n")?;
        let digits = std::str::from_utf8(&self.bytes[..end]).unwrap();
        let len = usize::from_str_radix(digits, 16).unwrap();
        (self.bytes.len() >= end + 2 + len + 2).then_some((end + 2, len))
    }

    async fn more(&mut self) -> bool {
        // An error and an end are the same to a reader.
        self.socket.read_buf(&mut self.bytes).await.unwrap_or(0) > 0
    }
}

impl Body {
    async fn open(address: SocketAddr, request: &Request) -> Result<Self, TurnedAway> {
        let Request { path, last_event_id, body, .. } = request;
        let (last_event_id, body) = (last_event_id.clone(), body.clone());
        let socket = super::connected(address).await;
        let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(65_535)
            .initial_connection_window_size(65_535)
            .handshake(TokioIo::new(socket))
            .await
            .unwrap();
        let connection = tokio::spawn(async {
            // However it ends, the body's reader hears of it.
            let _ = connection.await;
        });
        let method = if body.is_some() { "POST" } else { "GET" };
        let mut request =
            http::Request::builder().method(method).uri(format!("http://{address}{path}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default()))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = Self { body: response.into_body(), connection };
        if status == 200 {
            return Ok(body);
        }
        let mut body = body;
        let bytes = (&mut body.body).collect().await.unwrap().to_bytes();
        Err(TurnedAway { status, error: serde_json::from_slice(&bytes).unwrap() })
    }

    async fn next(&mut self) -> Result<Vec<u8>, End> {
        match self.body.frame().await {
            None => Err(End::Whole),
            Some(Err(_)) => Err(End::Cut),
            Some(Ok(frame)) => Ok(frame.into_data().map(Vec::from).unwrap_or_default()),
        }
    }
}
