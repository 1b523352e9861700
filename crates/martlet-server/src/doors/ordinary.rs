//! Requests of connections that carry other requests too, and so are hyper's: all of HTTP/2, and on
//! HTTP/1 whatever comes after the first ordinary request.

use std::pin::Pin;

use super::*;

/// Answers the requests of a connection that hyper serves.
#[derive(Clone)]
pub struct GateService {
    pub(super) site: Arc<Site>,
    pub(super) worker: Rc<Worker>,
    pub(super) router: Router,
    pub(super) cut: Cut,
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
    let door = Door::at(head.path());
    let may = door.map_or_else(
        || site.cors.origins.check(&head.headers),
        |door| check_page(&site, door, &head),
    );
    let mut response = match (may, door) {
        (Err(refusal), _) => api::refused(&refusal),
        (_, None) => ask(&site, router, request).await,
        (_, Some(Door::WebSocket)) if front::is_websocket(&request) => {
            connect(&site, worker, &head, request)
        }
        (_, Some(Door::WebSocket)) => upgrade(&site, worker, &head, request),
        (_, Some(Door::Stream(one_way))) => {
            answer_stream(&site, worker, cut, one_way, &head, request).await
        }
        (_, Some(door)) => answer_poll(site.clone(), worker, door, &head, request).await,
    };
    site.cors.allow(&head.headers, response.headers_mut());
    if door.is_none() && head.version < Version::HTTP_2 && site.drain.stage() > Stage::Serving {
        // The next request goes elsewhere. A connection of HTTP/2 is told so in its own words.
        let close = || HeaderValue::from_static("close");
        response.headers_mut().entry(header::CONNECTION).or_insert_with(close);
    }
    response
}

/// Asks the HTTP API, once the request is there as a whole.
async fn ask(site: &Site, router: Router, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (limit, too_large) = api::room(site, &parts.headers);
    let reading = site.mailboxes.memory().take_in(longest(&body, limit));
    let body = match reading {
        Ok(_) => collect(body, limit, too_large).await,
        Err(ref refusal) => Err(refusal.clone()),
    };
    let body = match body {
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

/// Reads the body of a frame or a query, if there is room for it.
async fn read(site: &Site, body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let _reading = site.mailboxes.memory().take_in(longest(&body, limit))?;
    collect(body, limit, api::too_large(limit)).await
}

/// How long a body may turn out to be.
fn longest(body: &Incoming, limit: usize) -> usize {
    body.size_hint().upper().map_or(limit, |upper| limit.min(upper as usize))
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

/// A WebSocket as one stream of a connection of HTTP/2.
fn connect(
    site: &Site,
    worker: Rc<Worker>,
    head: &Head,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let accepted = match handshake::accept_http2(head, &offer(site)) {
        Ok(accepted) => accepted,
        Err(refusal) => return api::refused(&refusal),
    };
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = accepted.headers();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::task::spawn_local(async move {
        match upgrade.await {
            Ok(upgraded) => websocket::serve_http2(worker, upgraded, &accepted).await,
            Err(error) => tracing::debug!(%error, "a WebSocket did not begin"),
        }
    });
    response
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
            response.headers_mut().extend(Door::WebSocket.refusal_headers(&refusal));
            return response;
        }
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = accepted.headers();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::task::spawn_local(async move {
        match take_over(upgrade).await {
            Ok(held) => {
                let begun = websocket::begin(worker, held.stream, &accepted, held.leftover);
                drop(accepted);
                begun.follow().await;
            }
            Err(error) => tracing::debug!(%error, "a WebSocket did not begin"),
        }
    });
    response
}

/// A poll on a connection that carries other requests too.
async fn answer_poll(
    site: Arc<Site>,
    worker: Rc<Worker>,
    door: Door,
    head: &Head,
    request: Request<Incoming>,
) -> Response<Body> {
    let limit = site.limits.frame_bytes;
    let body = match read(&site, request.into_body(), limit).await {
        Ok(body) => body,
        Err(refusal) => return unread(head.version, &refusal),
    };
    let answered = match Polled::read(door, head, &body, &worker) {
        Ok(asked) => asked.answer(worker, site).await,
        Err(refusal) => Err(refusal),
    };
    match answered {
        Ok((status, headers, body)) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Err(refusal) => refused(door, &refusal),
    }
}

fn refused(door: Door, refusal: &Refusal) -> Response<Body> {
    let mut response = api::refused(refusal);
    response.headers_mut().extend(door.refusal_headers(refusal));
    response
}

fn refused_stream(one_way: &'static OneWay, head: &Head, refusal: &Refusal) -> Response<Body> {
    match Listener::of(one_way, head).and_then(|listener| listener.told(refusal)) {
        None => refused(Door::Stream(one_way), refusal),
        Some((headers, page)) => {
            let mut response = Response::new(Body::from(page));
            *response.headers_mut() = headers;
            response
        }
    }
}

/// A stream on a connection that carries other requests too.
async fn answer_stream(
    site: &Site,
    worker: Rc<Worker>,
    cut: Cut,
    one_way: &'static OneWay,
    head: &Head,
    request: Request<Incoming>,
) -> Response<Body> {
    let limit = site.limits.frame_bytes;
    let body = match read(site, request.into_body(), limit).await {
        Ok(body) => body,
        Err(refusal) => return unread(head.version, &refusal),
    };
    let asked = match stream::read(one_way, head, &body, &worker) {
        Ok(asked) => asked,
        Err(refusal) => return refused_stream(one_way, head, &refusal),
    };
    let headers = stream::headers(&asked, &worker);
    let (writer, body) = pipe(PIPE_BYTES);
    let outlet = Outlet::Body(Rc::new(writer));
    let index = match stream::begin(&worker, outlet.clone(), Carrier::Raw, asked).await {
        Ok(index) => index,
        Err(refusal) => return refused_stream(one_way, head, &refusal),
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
    *response.headers_mut() = headers;
    response
}
