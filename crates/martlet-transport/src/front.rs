//! The life of one connection, from its first byte until it is held open or has ended.
//!
//! The first bytes decide. HTTP/2 goes to hyper. The first request of HTTP/1 is read here, and if
//! it is one of those that stay open, its stream is given away as it is: no library's buffers
//! stay behind it. What is given back (a poll that was answered) is read from again. Every other
//! connection goes to hyper, with the bytes already read.

use std::future::Future;
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, StatusCode, Version};
use hyper_util::rt::TokioIo;
use martlet_core::model::{Code, Refusal};
use thiserror::Error;

use crate::http1::read::{NoHead, read_some};
use crate::http1::{self, Head, HeadLimits};
use crate::stream::{Rewind, Stream};

mod doors;
mod hyper_side;
mod strict;

pub use doors::{Cut, Doors, Peer};
pub use strict::is_websocket;

/// What every client of HTTP/2 sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection that was given back waits for a request once the server stops.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// The limits of connections on their way to being held.
#[derive(Debug, Clone)]
pub struct FrontOptions {
    /// The limits of a request head.
    pub head: HeadLimits,
    /// How long a client may take to send the first request head.
    pub head_timeout: Duration,
    /// How long a kept-alive connection may go without a whole new request head.
    pub idle_timeout: Duration,
    /// How long a refused client gets to take in why.
    pub refusal_timeout: Duration,
    /// The most bytes of an ordinary request or answer that are buffered; at least 8192.
    pub buffer_bytes: usize,
    /// The most streams a client of HTTP/2 may have open.
    pub streams: u32,
    /// How often a client of HTTP/2 is asked whether it is there; half of it is the time to answer.
    pub http2_ping: Duration,
}

impl Default for FrontOptions {
    fn default() -> Self {
        Self {
            head: HeadLimits::default(),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            refusal_timeout: Duration::from_secs(2),
            buffer_bytes: 64 * 1024,
            streams: 128,
            http2_ping: Duration::from_secs(30),
        }
    }
}

impl FrontOptions {
    /// The same for a connection that has been served and may go on.
    fn idle(&self) -> Self {
        Self { head_timeout: self.idle_timeout, ..self.clone() }
    }
}

/// A connection that is not HTTP's any more.
#[derive(Debug)]
pub struct Held {
    /// The connection.
    pub stream: Stream,
    /// The bytes that came after the head of the request.
    pub leftover: Vec<u8>,
}

/// The end of the server, for its connections. Futures are made only where they are needed.
pub trait Ending: Clone {
    /// Done once clients are being let go: a connection of HTTP/2 takes on nothing new.
    fn leaving(&self) -> impl Future<Output = ()>;

    /// Done once the server stops: connections end after what is under way.
    fn stopping(&self) -> impl Future<Output = ()>;
}

/// Serves one connection until it has ended, or the server does. Connections that are held see to
/// that themselves.
pub fn serve<D: Doors>(
    stream: Stream,
    doors: Rc<D>,
    options: Rc<FrontOptions>,
    ending: impl Ending,
) -> impl Future<Output = ()> {
    // What comes before and after the holding is boxed, each part for itself, so that the task of
    // a held connection is not as large as the largest state of all others.
    let first = Held { stream, leftover: Vec::new() };
    let opening = Box::pin(open(first, doors.clone(), options.clone()));
    async move {
        let mut next = opening.await;
        loop {
            let back = match next {
                None => return,
                Some(Opening::Held(request)) => Rc::clone(&doors).hold(request).await,
                Some(opening) => return go_on(opening, doors, options, ending).await,
            };
            let Some(held) = back else { return };
            next = Box::pin(open_next(held, doors.clone(), options.idle(), ending.clone())).await;
        }
    }
}

/// Reads the first bytes of the next request, for which a server that stops does not wait long.
async fn open_next<D: Doors>(
    held: Box<Held>,
    doors: Rc<D>,
    options: FrontOptions,
    ending: impl Ending,
) -> Option<Opening> {
    let mut opening = pin!(open(*held, doors, Rc::new(options)));
    tokio::select! {
        biased;
        opening = &mut opening => return opening,
        () = ending.stopping() => {}
    }
    // A client that goes on at once gets an answer still.
    tokio::time::timeout(LAST_REQUEST, opening).await.unwrap_or(None)
}

/// What becomes of a connection that is not held.
fn go_on<'a, D: Doors>(
    opening: Opening,
    doors: Rc<D>,
    options: Rc<FrontOptions>,
    ending: impl Ending + 'a,
) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    match opening {
        // These were held before.
        Opening::Held(_) => Box::pin(std::future::ready(())),
        Opening::Http1(rewind) => {
            Box::pin(hyper_side::serve_http1(*rewind, doors, options, ending))
        }
        Opening::Http2(rewind) => {
            Box::pin(hyper_side::serve_http2(*rewind, doors, options, ending))
        }
    }
}

/// What the first bytes of a connection ask for.
enum Opening {
    Held(Box<(Head, Held)>),
    Http1(Box<Rewind>),
    Http2(Box<Rewind>),
}

/// Reads the first bytes; `None` if the client has left or was refused.
async fn open<D: Doors>(held: Held, doors: Rc<D>, options: Rc<FrontOptions>) -> Option<Opening> {
    let Held { stream, leftover: mut bytes } = held;
    match read_opening(&stream, &mut bytes, &options).await {
        Ok(None) => Some(Opening::Http2(Box::new(Rewind::new(stream, bytes)))),
        Ok(Some((head, length))) => {
            if !doors.holds(&head, Peer::of(&stream)) {
                return Some(Opening::Http1(Box::new(Rewind::new(stream, bytes))));
            }
            bytes.drain(..length);
            bytes.shrink_to_fit();
            Some(Opening::Held(Box::new((head, Held { stream, leftover: bytes }))))
        }
        Err(NoHead::Gone) => None,
        Err(NoHead::Refused(refusal)) => {
            let json = doors.refusal(&refusal);
            refuse(&stream, &refusal, HeaderMap::new(), &json, options.refusal_timeout).await;
            None
        }
    }
}

/// The first head of HTTP/1 and its length, or `None` for HTTP/2.
async fn read_opening(
    stream: &Stream,
    bytes: &mut Vec<u8>,
    options: &FrontOptions,
) -> Result<Option<(Head, usize)>, NoHead> {
    let preface = tokio::time::timeout(options.head_timeout, is_http2(stream, bytes)).await;
    match preface {
        Ok(Ok(true)) => Ok(None),
        Ok(Ok(false)) => {
            http1::read_head(stream, bytes, &options.head, options.head_timeout).await.map(Some)
        }
        Ok(Err(gone)) => Err(gone),
        // Nothing at all came: there is no request to answer.
        Err(_) if bytes.is_empty() => Err(NoHead::Gone),
        Err(_) => Err(Refusal::from(Code::RequestTimeout).into()),
    }
}

/// Reads until the bytes are the preface of HTTP/2, or cannot become it.
async fn is_http2(stream: &Stream, bytes: &mut Vec<u8>) -> Result<bool, NoHead> {
    loop {
        let common = bytes.len().min(PREFACE.len());
        if bytes[..common] != PREFACE[..common] {
            return Ok(false);
        }
        if common == PREFACE.len() {
            return Ok(true);
        }
        if read_some(stream, bytes, usize::MAX).await? == 0 {
            return Err(NoHead::Gone);
        }
    }
}

/// Answers a request of HTTP/1 with a refusal, and ends the connection. The client gets a moment
/// to read the answer: closing while its bytes still arrive would take the answer back.
pub async fn refuse(
    stream: &Stream,
    refusal: &Refusal,
    extra: HeaderMap,
    json: &[u8],
    timeout: Duration,
) {
    let status =
        StatusCode::from_u16(refusal.code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut answer = Vec::with_capacity(256 + json.len());
    http1::write_answer(&mut answer, Version::HTTP_11, status, extra, json);
    let saying = async {
        if stream.write_all(&[IoSlice::new(&answer)]).await.is_ok() {
            stream.shutdown();
            stream.closed().await;
        }
    };
    // A client that does not take its refusal in goes without.
    let _ = tokio::time::timeout(timeout, saying).await;
}

/// Why an upgraded connection could not be taken over.
#[derive(Debug, Error)]
pub enum UpgradeFault {
    /// The connection ended before the upgrade.
    #[error("the connection ended before the upgrade: {0}")]
    Ended(#[from] hyper::Error),
    /// The connection was not one of [`serve`]'s.
    #[error("the connection is not one that this front has served")]
    Foreign,
}

/// Takes a connection back from hyper, once a `101` answer has been sent on it.
pub async fn take_over(upgrade: hyper::upgrade::OnUpgrade) -> Result<Held, UpgradeFault> {
    let upgraded = upgrade.await?;
    let parts = upgraded.downcast::<TokioIo<Rewind>>().map_err(|_| UpgradeFault::Foreign)?;
    let (stream, rest) = parts.io.into_inner().into_parts();
    let mut leftover = Vec::from(parts.read_buf);
    leftover.extend_from_slice(&rest);
    Ok(Held { stream, leftover })
}

#[cfg(test)]
mod tests;
