//! The way from a connection to what serves it: which requests are held open, which go to the
//! HTTP API, and what a web page may do.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::TcpStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
use martlet_transport::cors::Cors;
use martlet_transport::front::{self, Cut, Doors, FrontOptions, Held, Peer, refuse, take_over};
use martlet_transport::http1::read::NoHead;
use martlet_transport::http1::{Head, read_body, write_whole};
use martlet_transport::outlet::Outlet;
use martlet_transport::stream::{SocketOptions, Stream};
use martlet_transport::tls::Tls;
use martlet_transport::websocket::handshake;
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

use crate::api;
use crate::config::Settings;
use crate::connection::stream::OneWay;
use crate::connection::{Door, jsonp, poll, stream, websocket};
use crate::keys::ApiKeys;
use crate::mail::Mailboxes;
use crate::wire::Carrier;
use crate::worker::Worker;

mod ordinary;

pub use ordinary::GateService;

/// How long a client may take to shake hands, to send a body, and to take in a refusal.
const PATIENCE: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How much of a stream waits in HTTP/2's hands.
const PIPE_BYTES: usize = 64 * 1024;

/// What all connections of a node need to know. Nothing in it changes but `ready`.
pub struct Site {
    /// The ways to the workers.
    pub mailboxes: Mailboxes,
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
    /// Whether clients are welcome.
    pub ready: AtomicBool,
    socket: SocketOptions,
}

impl Site {
    /// What `settings` say.
    pub fn new(
        settings: &Settings,
        mailboxes: Mailboxes,
        tls: Option<Tls>,
        ready: AtomicBool,
    ) -> Self {
        Self {
            mailboxes,
            keys: settings.keys.clone(),
            limits: settings.limits.clone(),
            namespaces: settings.namespaces.clone(),
            cors: Cors { origins: settings.origins.clone(), credentials: false },
            tls,
            ready,
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
    stop: watch::Receiver<bool>,
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

/// Waits until the node stops.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the node is gone altogether.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

impl Entrance {
    /// The entrance to `worker`. `stop` turns true when the node stops.
    pub fn new(site: Arc<Site>, worker: Rc<Worker>, stop: watch::Receiver<bool>) -> Self {
        let router = api::router(Arc::clone(&site));
        let options = FrontOptions { head_timeout: PATIENCE, ..FrontOptions::default() };
        Self {
            gate: Rc::new(Gate { site, worker, router }),
            options: Rc::new(options),
            stop,
            open: Cell::new(0),
            ended: Notify::new(),
        }
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
    pub async fn serve(self: Rc<Self>, socket: TcpStream) {
        let _open = Open::new(&self);
        let site = &self.gate.site;
        let stream = match &site.tls {
            None => Stream::plain(socket, &site.socket),
            Some(tls) => {
                let shaking = Stream::tls(socket, tls.config(), &site.socket);
                let shaken = tokio::time::timeout(PATIENCE, shaking).await;
                shaken.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            }
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return tracing::debug!(%error, "a connection did not begin"),
        };
        let (gate, options) = (Rc::clone(&self.gate), Rc::clone(&self.options));
        front::serve(stream, gate, options, stopped(self.stop.clone())).await;
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

    async fn hold(self: Rc<Self>, head: Head, held: Held) -> Option<Held> {
        match Door::at(head.path())? {
            Door::WebSocket => self.hold_websocket(head, held).await,
            Door::Stream(one_way) => {
                if let Some(begun) = Box::pin(self.begin_stream(one_way, head, held)).await {
                    begun.follow().await;
                }
            }
            door => return Box::pin(self.hold_poll(door, head, held)).await,
        }
        None
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
    async fn hold_websocket(&self, head: Head, held: Held) {
        let accepted = match accept(&self.site, &head) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let extra = Door::WebSocket.refusal_headers(&refusal);
                return self.turn_away(&held.stream, &refusal, extra).await;
            }
        };
        let mut answer = Vec::new();
        accepted.write(&mut answer);
        drop(head);
        if held.stream.write_all(&[std::io::IoSlice::new(&answer)]).await.is_ok() {
            drop(answer);
            websocket::serve(Rc::clone(&self.worker), held.stream, &accepted, held.leftover).await;
        }
    }

    /// Begins a stream, or says why not. What that takes is let go before the stream is held.
    async fn begin_stream(
        &self,
        one_way: &'static OneWay,
        head: Head,
        mut held: Held,
    ) -> Option<stream::Begun> {
        let mut cors = HeaderMap::new();
        self.site.cors.allow(&head.headers, &mut cors);
        let (door, listener) = (Door::Stream(one_way), stream::listener(one_way, &head));
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
        match stream::refusal_page(listener, &refusal) {
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
        read_body(&held.stream, &mut held.leftover, head, limit, PATIENCE).await
    }

    /// Answers a poll, and gives the connection back for the next.
    async fn hold_poll(&self, door: Door, head: Head, mut held: Held) -> Option<Held> {
        let mut cors = HeaderMap::new();
        self.site.cors.allow(&head.headers, &mut cors);
        let (version, keep_alive) = (head.version, head.keep_alive());
        let body = match self.body(door, &head, &mut held).await {
            Ok(body) => body,
            Err(NoHead::Gone) => return None,
            Err(NoHead::Refused(refusal)) => {
                cors.extend(door.refusal_headers(&refusal));
                self.turn_away(&held.stream, &refusal, cors).await;
                return None;
            }
        };
        let asked = Polled::read(door, &head, &body, &self.worker);
        drop((head, body));
        let answered = match asked {
            Err(refusal) => Err(refusal),
            Ok(asked) => {
                let answer = asked.answer(&self.worker, &self.site.mailboxes);
                tokio::select! {
                    answered = answer => answered,
                    () = held.stream.gone(&mut held.leftover) => return None,
                }
            }
        };
        let (status, mut headers, body) =
            answered.unwrap_or_else(|refusal| refused_whole(door, &refusal));
        headers.extend(cors);
        let mut answer = Vec::new();
        write_whole(&mut answer, version, status, headers, &body, keep_alive);
        self.give_back(held, &answer, keep_alive).await
    }

    /// Writes a whole answer. The connection may go on after it.
    async fn give_back(&self, held: Held, answer: &[u8], keep_alive: bool) -> Option<Held> {
        let slices = [std::io::IoSlice::new(answer)];
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

    async fn answer(self, worker: &Rc<Worker>, mailboxes: &Mailboxes) -> Result<Whole, Refusal> {
        match self {
            Self::Lines(asked) => {
                poll::answer(worker, mailboxes, asked).await.map(poll::Answer::into_parts)
            }
            Self::Script(asked) => Ok(jsonp::answer(worker, mailboxes, *asked).await),
        }
    }
}
