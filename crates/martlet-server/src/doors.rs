//! The way from a connection to what serves it: which requests are held open, which go to the
//! HTTP API, and what a web page may do.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::service::Service;
use martlet_core::model::{Code, Limits, Namespaces, Refusal};
use martlet_transport::body::pipe;
use martlet_transport::cors::{Cors, Readers};
use martlet_transport::front::{self, Cut, Doors, FrontOptions, Held, Peer, refuse, take_over};
use martlet_transport::http1::read::NoHead;
use martlet_transport::http1::{BodyLength, Head, read_body, write_whole};
use martlet_transport::outlet::Outlet;
use martlet_transport::stream::{SocketOptions, Stream};
use martlet_transport::tls::Tls;
use martlet_transport::websocket::handshake;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::api;
use crate::cluster::{About, Reach};
use crate::config::Settings;
use crate::connection::listener::Listener;
use crate::connection::stream::OneWay;
use crate::connection::{Door, jsonp, poll, stream, websocket};
use crate::drain::{Drain, Plan, Stage, reached};
use crate::keys::ApiKeys;
use crate::mail::Mailboxes;
use crate::wire::Carrier;
use crate::worker::Worker;

mod ordinary;
mod turnstile;

pub use ordinary::GateService;
use turnstile::Turnstile;

/// How long a client may take to shake hands, to send a body, and to take in a refusal.
const PATIENCE: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How much of a stream waits in HTTP/2's hands.
const PIPE_BYTES: usize = 64 * 1024;

/// What all connections of a node need to know. Nothing in it changes but how far its drain is.
pub struct Site {
    /// The ways to the workers.
    pub mailboxes: Mailboxes,
    /// What the node says of itself, beside its counts.
    pub about: About,
    /// The ways to sessions, wherever they are.
    pub reach: Reach,
    /// Which keys the backend API takes.
    pub keys: ApiKeys,
    /// The limits.
    pub limits: Limits,
    /// Which channels there may be.
    pub namespaces: Namespaces,
    /// Which pages may connect, and what they are told.
    pub cors: Cors,
    /// Encryption.
    pub tls: Option<Tls>,
    /// How far the node's drain is, and what it is like unless somebody says otherwise.
    pub drain: Drain,
    pub plan: Plan,
    socket: SocketOptions,
}

impl Site {
    /// What `settings` say.
    pub fn new(
        settings: &Settings,
        mailboxes: Mailboxes,
        about: About,
        reach: Reach,
        tls: Option<Tls>,
    ) -> Self {
        Self {
            mailboxes,
            about,
            reach,
            keys: settings.keys.clone(),
            limits: settings.limits.clone(),
            namespaces: settings.namespaces.clone(),
            cors: Cors { origins: settings.origins.clone(), credentials: false },
            tls,
            drain: Drain::default(),
            plan: settings.drain,
            socket: SocketOptions {
                user_timeout: settings.ping + settings.pong,
                ..SocketOptions::default()
            },
        }
    }
}

/// Where a worker's connections come in.
pub struct Entrance {
    gate: Rc<Gate>,
    options: Rc<FrontOptions>,
    turnstile: Turnstile,
    /// How many connections there are.
    open: Cell<usize>,
    /// Woken when one has ended.
    ended: Notify,
}

/// A connection, as the entrance counts it.
struct Open<'a>(&'a Entrance);

impl<'a> Open<'a> {
    fn new(entrance: &'a Entrance) -> Self {
        entrance.open.set(entrance.open.get() + 1);
        Self(entrance)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.ended.notify_waiters();
    }
}

/// The end of the node, for its connections.
#[derive(Clone)]
struct End(Rc<Entrance>);

impl front::Ending for End {
    fn leaving(&self) -> impl Future<Output = ()> {
        reached(self.0.gate.site.drain.stages(), Stage::LettingGo)
    }

    fn stopping(&self) -> impl Future<Output = ()> {
        reached(self.0.gate.site.drain.stages(), Stage::Ending)
    }
}

impl Entrance {
    /// The entrance to `worker`.
    pub fn new(site: Arc<Site>, worker: Rc<Worker>) -> Self {
        let router = api::router(Arc::clone(&site));
        let options = FrontOptions { head_timeout: PATIENCE, ..FrontOptions::default() };
        Self {
            gate: Rc::new(Gate { site, worker, router }),
            options: Rc::new(options),
            turnstile: Turnstile::new(),
            open: Cell::new(0),
            ended: Notify::new(),
        }
    }

    /// Lets those who come take their turns, for as long as it is polled.
    pub async fn turn(&self) {
        self.turnstile.turn().await;
    }

    /// Waits until there is no connection.
    pub async fn emptied(&self) {
        loop {
            let ended = self.ended.notified();
            if self.open.get() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Serves one connection.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    pub fn serve(self: Rc<Self>, socket: TcpStream) -> impl Future<Output = ()> {
        // What it takes to begin is boxed, as everything is that a held connection has behind it.
        async move {
            let _open = Open::new(&self);
            let stream = match Box::pin(self.begin(socket)).await {
                Ok(stream) => stream,
                Err(error) => return tracing::debug!(%error, "a connection did not begin"),
            };
            let (gate, options) = (Rc::clone(&self.gate), Rc::clone(&self.options));
            front::serve(stream, gate, options, End(Rc::clone(&self))).await;
        }
    }

    /// Takes a connection over, and shakes hands where it is to be encrypted.
    async fn begin(&self, socket: TcpStream) -> std::io::Result<Stream> {
        let site = &self.gate.site;
        let stream = Stream::plain(socket, &site.socket)?;
        let Some(tls) = &site.tls else {
            self.turnstile.pass().await;
            return Ok(stream);
        };
        let shaking = async {
            // Who says nothing takes nobody's turn.
            stream.readable().await?;
            self.turnstile.pass().await;
            stream.encrypted(tls.config()).await
        };
        let shaken = tokio::time::timeout(PATIENCE, shaking).await;
        shaken.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }
}

/// The doors of a worker's connections.
pub struct Gate {
    site: Arc<Site>,
    worker: Rc<Worker>,
    router: Router,
}

impl Doors for Gate {
    type Body = Body;
    type Service = GateService;

    fn holds(&self, head: &Head, _: Peer) -> bool {
        Door::at(head.path()).is_some() && !Cors::is_preflight(&head.method, &head.headers)
    }

    async fn hold(self: Rc<Self>, request: Box<(Head, Held)>) -> Option<Box<Held>> {
        // What it takes to begin is boxed, and gone when the waiting begins.
        match Door::at(request.0.path())? {
            Door::WebSocket => {
                let begun = Box::pin(self.begin_websocket(request)).await?;
                begun.follow().await;
                None
            }
            Door::Stream(one_way) => {
                let begun = Box::pin(self.begin_stream(one_way, request)).await?;
                begun.follow().await;
                None
            }
            door => {
                let waiting = Box::pin(self.begin_poll(door, request)).await?;
                let told = waiting.answered().await?;
                Box::pin(self.end_poll(told)).await
            }
        }
    }

    fn service(&self, _: Peer, cut: Cut) -> GateService {
        GateService {
            cut,
            site: Arc::clone(&self.site),
            worker: Rc::clone(&self.worker),
            router: self.router.clone(),
        }
    }

    fn refusal(&self, refusal: &Refusal) -> Vec<u8> {
        api::refusal_json(refusal)
    }
}

impl Gate {
    /// Answers a handshake.
    async fn begin_websocket(&self, request: Box<(Head, Held)>) -> Option<websocket::Begun> {
        let (head, held) = *request;
        let accepted = match accept(&self.site, &head) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let extra = Door::WebSocket.refusal_headers(&refusal);
                self.turn_away(&held.stream, &refusal, extra).await;
                return None;
            }
        };
        let mut answer = Vec::new();
        accepted.write(&mut answer);
        held.stream.write_all(&[std::io::IoSlice::new(&answer)]).await.ok()?;
        Some(websocket::begin(Rc::clone(&self.worker), held.stream, &accepted, held.leftover))
    }

    /// Begins a stream, or says why not. What that takes is let go before the stream is held.
    async fn begin_stream(
        &self,
        one_way: &'static OneWay,
        request: Box<(Head, Held)>,
    ) -> Option<stream::Begun> {
        let (head, mut held) = *request;
        let mut cors = HeaderMap::new();
        self.site.cors.allow(&head.headers, &mut cors);
        let (door, listener) = (Door::Stream(one_way), Listener::of(one_way, &head));
        let asked = self.body(door, &head, &mut held).await;
        let asked = asked.and_then(|body| Ok(stream::read(one_way, &head, &body, &self.worker)?));
        let (stream, version) = (Rc::new(held.stream), head.version);
        let begun = match asked {
            Err(NoHead::Gone) => return None,
            Err(NoHead::Refused(refusal)) => Err(refusal),
            Ok(asked) => {
                let worker = Rc::clone(&self.worker);
                stream::serve(worker, Rc::clone(&stream), version, asked, cors.clone()).await
            }
        };
        let refusal = match begun {
            Ok(begun) => return begun,
            Err(refusal) => refusal,
        };
        match listener.and_then(|listener| listener.told(&refusal)) {
            Some((mut headers, page)) => {
                headers.extend(cors);
                self.tell_page(&stream, version, headers, &page).await;
            }
            None => {
                cors.extend(door.refusal_headers(&refusal));
                self.turn_away(&stream, &refusal, cors).await;
            }
        }
        None
    }

    /// Writes a page, after which the connection ends.
    async fn tell_page(&self, stream: &Stream, version: Version, headers: HeaderMap, page: &[u8]) {
        let mut answer = Vec::new();
        write_whole(&mut answer, version, StatusCode::OK, headers, page, false);
        let telling = async {
            if stream.write_all(&[std::io::IoSlice::new(&answer)]).await.is_ok() {
                stream.shutdown();
                stream.closed().await;
            }
        };
        // Who does not take it in goes without.
        let _ = tokio::time::timeout(LAST_WORDS, telling).await;
    }

    /// Reads the body of a request, once it is clear that its page may ask.
    async fn body(&self, door: Door, head: &Head, held: &mut Held) -> Result<Vec<u8>, NoHead> {
        check_page(&self.site, door, head)?;
        let limit = self.site.limits.frame_bytes;
        let _reading = self.site.mailboxes.memory().take_in(body_bytes(head, limit))?;
        read_body(&held.stream, &mut held.leftover, head, limit, PATIENCE).await
    }

    /// Reads a poll, or says why not.
    async fn begin_poll(&self, door: Door, request: Box<(Head, Held)>) -> Option<Box<Waiting>> {
        let (head, mut held) = *request;
        let readers = self.site.cors.readers(&head.headers);
        let body = match self.body(door, &head, &mut held).await {
            Ok(body) => body,
            Err(NoHead::Gone) => return None,
            Err(NoHead::Refused(refusal)) => {
                let mut extra = door.refusal_headers(&refusal);
                readers.tell(&mut extra);
                self.turn_away(&held.stream, &refusal, extra).await;
                return None;
            }
        };
        let answer: Answering = match Polled::read(door, &head, &body, &self.worker) {
            Ok(asked) => asked.answer(Rc::clone(&self.worker), Arc::clone(&self.site)),
            Err(refusal) => Box::pin(std::future::ready(Err(refusal))),
        };
        let (version, keep_alive) = (head.version, head.keep_alive());
        let reply = Reply { door, readers, version, keep_alive };
        Some(Box::new(Waiting { held: Box::new(held), answer, reply }))
    }

    /// Writes the answer to a poll. The connection may go on after it.
    async fn end_poll(&self, told: Box<Told>) -> Option<Box<Held>> {
        let (held, answered, Reply { door, readers, version, keep_alive }) = *told;
        let (status, mut headers, body) =
            answered.unwrap_or_else(|refusal| refused_whole(door, &refusal));
        readers.tell(&mut headers);
        let mut answer = Vec::new();
        write_whole(&mut answer, version, status, headers, &body, keep_alive);
        let slices = [std::io::IoSlice::new(&answer)];
        let written = held.stream.write_all(&slices);
        let timeout = self.site.limits.write_timeout;
        tokio::time::timeout(timeout, written).await.ok()?.ok()?;
        if keep_alive {
            return Some(held);
        }
        held.stream.shutdown();
        // The client reads to the end, and then goes.
        let _ = tokio::time::timeout(LAST_WORDS, held.stream.closed()).await;
        None
    }

    async fn turn_away(&self, stream: &Stream, refusal: &Refusal, extra: HeaderMap) {
        let json = api::refusal_json(refusal);
        refuse(stream, refusal, extra, &json, LAST_WORDS).await;
    }
}

/// Whether the page that asks, if it is one, may have the answer.
fn check_page(site: &Site, door: Door, head: &Head) -> Result<(), Refusal> {
    let origins = &site.cors.origins;
    match door.embeds() {
        true => origins.check_embedding(&head.headers),
        false => origins.check(&head.headers),
    }
}

/// How long a body may turn out to be.
fn body_bytes(head: &Head, limit: usize) -> usize {
    match head.body_length() {
        BodyLength::Exactly(length) => limit.min(length as usize),
        BodyLength::Chunked => limit,
    }
}

fn accept(site: &Site, head: &Head) -> Result<handshake::Accepted, Refusal> {
    handshake::accept(head, &offer(site))
}

fn offer(site: &Site) -> handshake::Offer<'_> {
    handshake::Offer {
        subprotocols: websocket::SUBPROTOCOLS,
        deflate: true,
        origins: &site.cors.origins,
    }
}

/// A poll, whichever way it is answered.
enum Polled {
    Lines(poll::Asked),
    Script(Box<jsonp::Asked>),
}

/// The parts of a whole answer.
type Whole = (StatusCode, HeaderMap, Vec<u8>);

/// What a poll is answered with.
type Answered = Result<Whole, Refusal>;

/// What a connection is told, and how.
type Told = (Box<Held>, Answered, Reply);

/// The waiting for it.
type Answering = poll::Answering<Whole>;

/// A poll that waits: all that is kept of it meanwhile.
struct Waiting {
    held: Box<Held>,
    answer: Answering,
    reply: Reply,
}

/// How a poll is to be answered.
struct Reply {
    door: Door,
    readers: Readers,
    version: Version,
    keep_alive: bool,
}

impl Waiting {
    /// Waits for the answer; `None` if the client leaves before.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    fn answered(mut self: Box<Self>) -> impl Future<Output = Option<Box<Told>>> {
        async move {
            let Held { stream, leftover } = &mut *self.held;
            let answered = tokio::select! {
                answered = self.answer.as_mut() => answered,
                () = stream.gone(leftover) => return None,
            };
            Some(Box::new((self.held, answered, self.reply)))
        }
    }
}

/// A refusal after which the connection may go on.
fn refused_whole(door: Door, refusal: &Refusal) -> Whole {
    let (mut parts, _) = api::refused(refusal).into_parts();
    parts.headers.extend(door.refusal_headers(refusal));
    (parts.status, parts.headers, api::refusal_json(refusal))
}

impl Polled {
    fn read(door: Door, head: &Head, body: &[u8], worker: &Worker) -> Result<Self, Refusal> {
        match door {
            Door::Jsonp => Ok(Self::Script(Box::new(jsonp::read(head, worker)?))),
            _ => Ok(Self::Lines(poll::read(head, body, worker)?)),
        }
    }

    fn answer(self, worker: Rc<Worker>, site: Arc<Site>) -> Answering {
        match self {
            Self::Lines(asked) => poll::answer(worker, site, asked, poll::Answer::into_parts),
            Self::Script(asked) => {
                Box::pin(async { Ok(jsonp::answer(worker, site, *asked).await) })
            }
        }
    }
}

#[cfg(test)]
mod tests;
