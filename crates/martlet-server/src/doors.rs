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
use martlet_transport::http1::{Head, read_body};
use martlet_transport::outlet::Outlet;
use martlet_transport::sse as sse_transport;
use martlet_transport::stream::{SocketOptions, Stream};
use martlet_transport::tls::Tls;
use martlet_transport::websocket::handshake;
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

use crate::api;
use crate::config::Settings;
use crate::connection::{sse, websocket};
use crate::keys::ApiKeys;
use crate::mail::Mailboxes;
use crate::wire::Carrier;
use crate::worker::Worker;

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
        matches!(head.path(), "/v1/ws" | "/v1/sse")
            && !Cors::is_preflight(&head.method, &head.headers)
    }

    async fn hold(self: Rc<Self>, head: Head, held: Held) {
        match head.path() {
            "/v1/ws" => self.hold_websocket(head, held).await,
            _ => self.hold_sse(head, held).await,
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
    async fn hold_websocket(&self, head: Head, held: Held) {
        let accepted = match accept(&self.site, &head) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let extra = handshake::refusal_headers(&refusal);
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

    async fn hold_sse(&self, head: Head, mut held: Held) {
        let mut cors = HeaderMap::new();
        self.site.cors.allow(&head.headers, &mut cors);
        let asked = match self.asked(&head, &mut held).await {
            Ok(asked) => asked,
            Err(NoHead::Gone) => return,
            Err(NoHead::Refused(refusal)) => {
                cors.extend(sse::refusal_headers(&refusal));
                return self.turn_away(&held.stream, &refusal, cors).await;
            }
        };
        let stream = Rc::new(held.stream);
        let (worker, version) = (Rc::clone(&self.worker), head.version);
        drop(head);
        let served = sse::serve(worker, Rc::clone(&stream), version, asked, cors.clone()).await;
        if let Err(refusal) = served {
            self.turn_away(&stream, &refusal, cors).await;
        }
    }

    /// Reads what a stream's request asks for.
    async fn asked(&self, head: &Head, held: &mut Held) -> Result<sse::Asked, NoHead> {
        self.site.cors.origins.check(&head.headers)?;
        let limit = self.site.limits.frame_bytes;
        let ahead = &mut held.leftover;
        let body = read_body(&held.stream, ahead, head, limit, PATIENCE).await?;
        Ok(sse::read(head, &body, &self.worker)?)
    }

    async fn turn_away(&self, stream: &Stream, refusal: &Refusal, extra: HeaderMap) {
        let json = api::refusal_json(refusal);
        refuse(stream, refusal, extra, &json, LAST_WORDS).await;
    }
}

fn accept(site: &Site, head: &Head) -> Result<handshake::Accepted, Refusal> {
    let offer = handshake::Offer {
        subprotocols: websocket::SUBPROTOCOLS,
        deflate: true,
        origins: &site.cors.origins,
    };
    handshake::accept(head, &offer)
}

/// Answers the requests of a connection that hyper serves.
#[derive(Clone)]
pub struct GateService {
    site: Arc<Site>,
    worker: Rc<Worker>,
    router: Router,
    cut: Cut,
}

impl Service<Request<Incoming>> for GateService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(answer(service, request).await) })
    }
}

async fn answer(service: GateService, request: Request<Incoming>) -> Response<Body> {
    let GateService { site, worker, router, cut } = service;
    let request = with_host(request);
    let head = Head::of(&request);
    if Cors::is_preflight(&head.method, &head.headers) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = site.cors.preflight(&head.headers);
        return response;
    }
    let mut response = match site.cors.origins.check(&head.headers) {
        Err(refusal) => api::refused(&refusal),
        Ok(()) => match head.path() {
            "/v1/ws" => upgrade(&site, worker, &head, request),
            "/v1/sse" => stream(&site, worker, cut, &head, request).await,
            _ => ask(&site, router, request).await,
        },
    };
    site.cors.allow(&head.headers, response.headers_mut());
    response
}

/// Asks the HTTP API, once the request is there as a whole.
async fn ask(site: &Site, router: Router, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (limit, too_large) = api::room(site, &parts.headers);
    let body = match collect(body, limit, too_large).await {
        Ok(body) => Body::from(body),
        Err(refusal) => return unread(parts.version, &refusal),
    };
    match router.oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Refuses a request whose body was not read: on HTTP/1 nothing can follow it.
fn unread(version: Version, refusal: &Refusal) -> Response<Body> {
    let mut response = api::refused(refusal);
    if version < Version::HTTP_2 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Reads a body of at most `limit` bytes, from a client that does not take for ever.
async fn collect(body: Incoming, limit: usize, too_large: Refusal) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
        Ok(Err(_)) => Err(Refusal::because(Code::RequestInvalid, "the body ends early")),
        Err(_) => Err(Code::RequestTimeout.into()),
    }
}

/// HTTP/2 names the host in the address; what compares it with an origin looks for it here.
fn with_host(mut request: Request<Incoming>) -> Request<Incoming> {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if let Some(host) = authority.and_then(|text| HeaderValue::try_from(text).ok()) {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    request
}

/// A WebSocket on a connection that served something else before.
fn upgrade(
    site: &Site,
    worker: Rc<Worker>,
    head: &Head,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let accepted = match accept(site, head) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            let mut response = api::refused(&refusal);
            response.headers_mut().extend(handshake::refusal_headers(&refusal));
            return response;
        }
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = accepted.headers();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::task::spawn_local(async move {
        match take_over(upgrade).await {
            Ok(held) => websocket::serve(worker, held.stream, &accepted, held.leftover).await,
            Err(error) => tracing::debug!(%error, "a WebSocket did not begin"),
        }
    });
    response
}

/// A stream of events on a connection that carries other requests too.
async fn stream(
    site: &Site,
    worker: Rc<Worker>,
    cut: Cut,
    head: &Head,
    request: Request<Incoming>,
) -> Response<Body> {
    let limit = site.limits.frame_bytes;
    let body = match collect(request.into_body(), limit, api::too_large(limit)).await {
        Ok(body) => body,
        Err(refusal) => return unread(head.version, &refusal),
    };
    let asked = match sse::read(head, &body, &worker) {
        Ok(asked) => asked,
        Err(refusal) => {
            let mut response = api::refused(&refusal);
            response.headers_mut().extend(sse::refusal_headers(&refusal));
            return response;
        }
    };
    let (writer, body) = pipe(PIPE_BYTES);
    let outlet = Rc::new(Outlet::Body(writer));
    let index = match sse::begin(&worker, Rc::clone(&outlet), Carrier::Raw, asked).await {
        Ok(index) => index,
        Err(refusal) => return api::refused(&refusal),
    };
    worker.head_written(index);
    tokio::task::spawn_local(async move {
        outlet.ended().await;
        worker.detached(index);
        // A client that opens no window for a stream's bytes opens none for its end: only the end
        // of the connection frees what is held for it.
        if tokio::time::timeout(LAST_WORDS, outlet.closed()).await.is_err() {
            cut.now();
        }
    });
    let mut response = Response::new(Body::new(body));
    *response.headers_mut() = sse_transport::headers(HeaderMap::new());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}
