//! Whole connections over real sockets: ordinary, held, upgraded, refused, attacked, stopped.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Empty, Full};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::*;
use crate::body::{self, Body};
use crate::cors::Origins;
use crate::stream::SocketOptions;
use crate::websocket::{Decoder, Incoming as Message, Inflater, Offer, encoder, handshake};

type AnyBody = Either<Full<Bytes>, Body>;

/// A server small enough for tests: `/hold` is held, WebSockets echo, the rest is ordinary.
struct TestDoors;

impl Doors for TestDoors {
    type Body = AnyBody;
    type Service = TestService;

    fn holds(&self, head: &Head, peer: Peer) -> bool {
        assert!(!peer.tls);
        matches!(head.path(), "/hold" | "/poll") || handshake::wants_websocket(head)
    }

    async fn hold(self: Rc<Self>, request: Box<(Head, Held)>) -> Option<Box<Held>> {
        let (head, mut held) = *request;
        if handshake::wants_websocket(&head) {
            let mut answer = Vec::new();
            accept(&head).write(&mut answer);
            say(&held.stream, &answer).await;
            echo(held).await;
            return None;
        }
        if head.path() == "/poll" {
            let mut answer = Vec::new();
            let keep_alive = head.keep_alive();
            let (ok, none) = (StatusCode::OK, HeaderMap::new());
            http1::write_whole(&mut answer, head.version, ok, none, b"batch", keep_alive);
            say(&held.stream, &answer).await;
            return keep_alive.then(|| Box::new(held));
        }
        let time = Duration::from_secs(5);
        let body = http1::read_body(&held.stream, &mut held.leftover, &head, 10, time).await;
        let text = match body {
            Ok(body) => format!("body {} then {}", show(&body), show(&held.leftover)),
            Err(NoHead::Refused(refusal)) => refusal.code.name().into(),
            Err(NoHead::Gone) => return None,
        };
        say(&held.stream, text.as_bytes()).await;
        held.stream.shutdown();
        held.stream.closed().await;
        None
    }

    fn service(&self, _: Peer, cut: Cut) -> TestService {
        TestService(cut)
    }

    fn refusal(&self, refusal: &Refusal) -> Vec<u8> {
        format!("{{\"code\":{}}}", refusal.code.number()).into_bytes()
    }
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn say(stream: &Stream, bytes: &[u8]) {
    stream.write_all(&[IoSlice::new(bytes)]).await.expect("the client reads");
}

fn accept(head: &Head) -> handshake::Accepted {
    let origins = Origins::new(["*"]);
    let offer = Offer { subprotocols: &[], deflate: false, origins: &origins };
    handshake::accept(head, &offer).expect("a good handshake")
}

/// Sends every text message back until the client closes.
async fn echo(held: Held) {
    let Held { stream, leftover } = held;
    let mut decoder = Decoder::new(1000, false);
    let mut inflater = Inflater::default();
    let mut bytes = leftover;
    while !decoder.ended() {
        let mut answer = Vec::new();
        let mut sink = |message: Message<'_>| {
            if let Message::Text(text) = message {
                encoder::write_text(&mut answer, text.as_bytes());
            }
            ControlFlow::Continue(())
        };
        decoder.feed(&mut bytes, &mut inflater, &mut sink).expect("a good client");
        say(&stream, &answer).await;
        bytes.clear();
        if decoder.ended() || read_some(&stream, &mut bytes, 1000).await.is_ok_and(|n| n == 0) {
            return;
        }
    }
}

struct TestService(Cut);

impl Service<Request<Incoming>> for TestService {
    type Response = Response<AnyBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AnyBody>, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if request.uri().path() == "/cut" {
            self.0.now();
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { Ok(answer(request).await) })
    }
}

async fn answer(mut request: Request<Incoming>) -> Response<AnyBody> {
    let head = Head::of(&request);
    if handshake::wants_websocket(&head) {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::task::spawn_local(async move {
            echo(take_over(upgrade).await.expect("it is ours")).await;
        });
        let mut answer = Response::new(Either::Left(Full::default()));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *answer.headers_mut() = accept(&head).headers();
        return answer;
    }
    match request.uri().path() {
        "/events" => {
            let (writer, body) = body::pipe(10);
            tokio::task::spawn_local(async move {
                for _ in 0..5 {
                    writer.writable().await;
                    writer.try_write(&[IoSlice::new(b"tick ")]).expect("there is room");
                }
                writer.finish();
            });
            Response::new(Either::Right(body))
        }
        "/forever" => {
            let (writer, body) = body::pipe(10);
            tokio::task::spawn_local(async move { writer.closed().await });
            Response::new(Either::Right(body))
        }
        path => {
            let path = path.to_owned();
            let body = request.into_body().collect().await.expect("a whole body").to_bytes();
            let text = format!("{path} {}", show(&body));
            Response::new(Either::Left(Full::from(text)))
        }
    }
}

/// Serves every connection until the test is over. Every test ends, well or not, in ten seconds.
async fn with_server<T>(options: FrontOptions, test: impl AsyncFnOnce(Server) -> T) -> T {
    let local = tokio::task::LocalSet::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (stop, stopping) = watch::channel(false);
    let address = listener.local_addr().expect("it is bound");
    let (ended, endings) = tokio::sync::mpsc::unbounded_channel();
    local.spawn_local(async move {
        let (doors, options) = (Rc::new(TestDoors), Rc::new(options));
        loop {
            let socket = listener.accept().await.expect("a connection").0;
            let socket = socket.into_std().expect("a socket");
            let stream = Stream::plain(socket, &SocketOptions::default()).expect("a socket");
            let (doors, options, ended) = (doors.clone(), options.clone(), ended.clone());
            let stop = Stop(stopping.clone());
            tokio::task::spawn_local(async move {
                serve(stream, doors, options, stop).await;
                let _ = ended.send(());
            });
        }
    });
    let running = local.run_until(test(Server { address, stop, endings }));
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it ends in time")
}

#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Ending for Stop {
    fn leaving(&self) -> impl Future<Output = ()> {
        self.stopping()
    }

    fn stopping(&self) -> impl Future<Output = ()> {
        let mut stop = self.0.clone();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// One for each connection that was served to its end.
    endings: tokio::sync::mpsc::UnboundedReceiver<()>,
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// Sends the bytes and reads to the end of the connection.
    async fn ask(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect().await;
        socket.write_all(bytes).await.expect("it reads");
        read_to_end(&mut socket).await
    }
}

async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end like another.
    let _ = socket.read_to_end(&mut bytes).await;
    show(&bytes)
}

/// Reads until the text ends as said.
async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        socket.read_exact(&mut byte).await.unwrap_or_else(|_| panic!("ended: {}", show(&bytes)));
        bytes.push(byte[0]);
    }
    show(&bytes)
}

fn quick() -> FrontOptions {
    let short = Duration::from_millis(100);
    FrontOptions { head_timeout: short, idle_timeout: short, ..FrontOptions::default() }
}

#[tokio::test]
async fn ordinary_requests_are_answered_one_after_another_on_one_connection() {
    with_server(FrontOptions::default(), async |server| {
        let mut socket = server.connect().await;
        for round in 0..3 {
            let request =
                format!("POST /{round} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
            let (one, two) = request.split_at(20);
            socket.write_all(one.as_bytes()).await.expect("it reads");
            socket.write_all(two.as_bytes()).await.expect("it reads");
            let answer = read_until(&mut socket, "body").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with(&format!("/{round} body")), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn requests_sent_at_once_are_all_answered() {
    with_server(FrontOptions::default(), async |server| {
        let requests = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500)
            + "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answers = server.ask(requests.as_bytes()).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 501);
        assert!(answers.ends_with("/last "), "{answers}");
    })
    .await;
}

#[tokio::test]
async fn a_held_request_gets_its_stream_with_what_came_after_the_head() {
    with_server(FrontOptions::default(), async |server| {
        let answer = server.ask(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\nmore").await;
        assert_eq!(answer, "body  then more");
        let sized = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodymore";
        assert_eq!(server.ask(sized).await, "body body then more");
        let chunked = b"POST /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
            2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\nmore";
        assert_eq!(server.ask(chunked).await, "body body then more");
        let large = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n";
        assert_eq!(server.ask(large).await, "frame_too_large");
        let expecting = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\
            Expect: 100-continue\r\n\r\n";
        let mut socket = server.connect().await;
        socket.write_all(expecting).await.expect("it reads");
        assert_eq!(read_until(&mut socket, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        socket.write_all(b"ok").await.expect("it reads");
        assert_eq!(read_to_end(&mut socket).await, "body ok then ");
    })
    .await;
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn a_websocket_works_on_a_new_connection_and_on_a_kept_one() {
    with_server(FrontOptions::default(), async |server| {
        for before in ["", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let mut socket = server.connect().await;
            // A masked "hi" comes with the request, before it can have been answered.
            let hi = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
            let bytes = [before.as_bytes(), UPGRADE.as_bytes(), &hi].concat();
            socket.write_all(&bytes).await.expect("it reads");
            let answer = read_until(&mut socket, "\u{2}hi").await;
            assert!(answer.contains("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
            socket.write_all(&hi).await.expect("it reads");
            read_until(&mut socket, "\u{2}hi").await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_loses_nothing_that_was_read_ahead() {
    with_server(FrontOptions::default(), async |server| {
        let padding = "a".repeat(7_800);
        let before = format!("GET /a HTTP/1.1\r\nHost: a\r\nX: {padding}\r\n\r\n{UPGRADE}");
        let hi = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
        let bytes = [before.as_bytes(), &hi.repeat(200)].concat();
        let mut socket = server.connect().await;
        socket.write_all(&bytes).await.expect("it reads");
        read_until(&mut socket, "Switching Protocols\r\n").await;
        read_until(&mut socket, "\r\n\r\n").await;
        let mut echoes = vec![0; 200 * 4];
        socket.read_exact(&mut echoes).await.expect("all are sent back");
        assert_eq!(echoes, [0x81, 2, b'h', b'i'].repeat(200));
    })
    .await;
}

#[tokio::test]
async fn bad_requests_are_told_why_and_closed() {
    with_server(FrontOptions::default(), async |server| {
        let refused = async |bytes: &[u8], status: &str, code: Code| {
            let answer = server.ask(bytes).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
            assert!(answer.ends_with(&format!("{{\"code\":{}}}", code.number())), "{answer}");
        };
        refused(b"GET / HTTP/1.1\r\n\r\n", "400", Code::RequestInvalid).await;
        refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", "400", Code::RequestInvalid).await;
        refused(b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405", Code::MethodNotAllowed).await;
        let long = [b"GET /".as_slice(), &[b'a'; 200_000]].concat();
        refused(&long, "414", Code::AddressTooLong).await;
        let large = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 200_000]].concat();
        refused(&large, "431", Code::HeadTooLarge).await;
    })
    .await;
}

#[tokio::test]
async fn later_requests_are_held_to_the_same_rules() {
    with_server(FrontOptions::default(), async |server| {
        let first = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        let two_hosts = "GET /b HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n";
        let answer = server.ask(format!("{first}{two_hosts}").as_bytes()).await;
        assert!(answer.contains("HTTP/1.1 400 ") && answer.contains("{\"code\":1011}"), "{answer}");
        // Whoever reads the other length sees the request after it in another place.
        let smuggled = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\
            Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = server.ask(format!("{first}{smuggled}").as_bytes()).await;
        assert!(answer.contains("connection: close") && !answer.contains("/c"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn slow_heads_are_cut() {
    with_server(quick(), async |mut server| {
        let answer = server.ask(b"GET / HTTP/1.1\r\nHost: ").await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        let answer = server.ask(b"PRI * HTT").await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_eq!(server.ask(b"").await, "");
        let mut kept = server.connect().await;
        kept.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
        let answer = read_to_end(&mut kept).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        for _ in 0..4 {
            server.endings.recv().await.expect("it serves to the end");
        }
    })
    .await;
}

type Http2Client = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

async fn http2(server: &Server) -> Http2Client {
    let io = TokioIo::new(server.connect().await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (client, connection) = handshake.await.expect("it speaks HTTP/2");
    tokio::task::spawn_local(connection);
    client
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("http://a{path}");
    Request::get(uri).body(Empty::new()).expect("a good request")
}

async fn text_of(answer: Response<Incoming>) -> String {
    show(&answer.into_body().collect().await.expect("a whole body").to_bytes())
}

#[tokio::test]
async fn http2_is_served_with_many_streams_and_streaming_bodies() {
    with_server(FrontOptions::default(), async |server| {
        let mut client = http2(&server).await;
        let (one, two) = (client.send_request(get("/one")), client.send_request(get("/events")));
        let (one, two) = tokio::join!(one, two);
        assert_eq!(text_of(one.expect("an answer")).await, "/one ");
        assert_eq!(text_of(two.expect("an answer")).await, "tick ".repeat(5));
    })
    .await;
}

#[tokio::test]
async fn a_streaming_body_is_sent_in_chunks_on_http1() {
    with_server(FrontOptions::default(), async |server| {
        let answer =
            server.ask(b"GET /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
        assert!(answer.matches("tick ").count() == 5 && answer.ends_with("0\r\n\r\n"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_lets_answers_finish() {
    with_server(FrontOptions::default(), async |mut server| {
        let mut idle = server.connect().await;
        idle.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
        read_until(&mut idle, "/a ").await;
        let mut busy = server.connect().await;
        let head = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
        busy.write_all(head).await.expect("it reads");
        let mut client = http2(&server).await;
        let forever = client.send_request(get("/forever")).await.expect("an answer");
        server.stop.send(true).expect("it serves");
        assert_eq!(read_to_end(&mut idle).await, "");
        busy.write_all(b"body").await.expect("it reads");
        let answer = read_to_end(&mut busy).await;
        assert!(answer.ends_with("/b body"), "{answer}");
        drop(forever);
        for _ in 0..3 {
            server.endings.recv().await.expect("it serves to the end");
        }
    })
    .await;
}

/// Whatever is under way: also an answer that never ends, on a connection of either version.
#[tokio::test]
async fn a_service_can_end_its_connection_at_once() {
    with_server(quick(), async |mut server| {
        let mut socket = server.connect().await;
        socket.write_all(b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
        assert_eq!(read_to_end(&mut socket).await, "");
        server.endings.recv().await.expect("it ended");
        let mut client = http2(&server).await;
        let endless = client.send_request(get("/forever")).await.expect("an answer");
        let cut = client.send_request(get("/cut")).await;
        assert!(cut.is_err(), "the connection has ended");
        assert!(endless.into_body().collect().await.is_err(), "and every answer with it");
        server.endings.recv().await.expect("it ended");
    })
    .await;
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// GET http://a/ in HPACK.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];

/// Sends frames after the preface and returns the error code of the GOAWAY that answers them.
async fn goaway_for(server: &Server, frames: Vec<u8>) -> Option<u32> {
    let socket = server.connect().await;
    let (mut from, mut to) = socket.into_split();
    let bytes = [PREFACE, &frame(4, 0, 0, &[]), &frames].concat();
    let writing = async {
        // The server may have had enough before all is sent.
        let _ = to.write_all(&bytes).await;
        std::future::pending().await
    };
    let reading = async {
        loop {
            let mut head = [0; 9];
            from.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            from.read_exact(&mut payload).await.ok()?;
            if head[3] == 7 && payload[4..8] != [0; 4] {
                return Some(u32::from_be_bytes(payload[4..8].try_into().expect("four bytes")));
            }
        }
    };
    tokio::select! {
        code = reading => code,
        () = writing => None,
    }
}

#[tokio::test]
async fn floods_of_http2_end_their_connection() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    with_server(FrontOptions::default(), async |server| {
        let resets = (0..500u32).flat_map(|i| {
            let stream = 2 * i + 1;
            [frame(1, 5, stream, GET), frame(3, 0, stream, &8u32.to_be_bytes())].concat()
        });
        assert_eq!(goaway_for(&server, resets.collect()).await, Some(ENHANCE_YOUR_CALM));
        let mut continued = frame(1, 1, 1, GET);
        for _ in 0..2000 {
            continued.extend(frame(9, 0, 1, &[0, 1, b'x', 100].repeat(30)));
        }
        let code = goaway_for(&server, continued).await;
        assert!(code.is_some_and(|code| code != 0), "{code:?}");
        // Others are served as before.
        let mut client = http2(&server).await;
        let answer = client.send_request(get("/one")).await.expect("an answer");
        assert_eq!(text_of(answer).await, "/one ");
    })
    .await;
}

#[test]
fn the_task_of_a_held_connection_is_small() {
    fn size_of_future<F: Future>(_: impl FnOnce(Stream, Rc<QuietDoors>) -> F) -> usize {
        size_of::<F>()
    }
    let size = size_of_future(|stream, doors| {
        serve(stream, doors, Rc::new(FrontOptions::default()), Never)
    });
    assert!(size <= 256, "{size}");
}

/// A server that does not end.
#[derive(Clone)]
struct Never;

impl Ending for Never {
    fn leaving(&self) -> impl Future<Output = ()> {
        std::future::pending()
    }

    fn stopping(&self) -> impl Future<Output = ()> {
        std::future::pending()
    }
}

/// Doors whose own future is small.
struct QuietDoors;

impl Doors for QuietDoors {
    type Body = AnyBody;
    type Service = TestService;

    fn holds(&self, _: &Head, _: Peer) -> bool {
        true
    }

    async fn hold(self: Rc<Self>, request: Box<(Head, Held)>) -> Option<Box<Held>> {
        request.1.stream.closed().await;
        None
    }

    fn service(&self, _: Peer, cut: Cut) -> TestService {
        TestService(cut)
    }

    fn refusal(&self, _: &Refusal) -> Vec<u8> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_connection_that_was_given_back_takes_the_next_request_whatever_it_is() {
    with_server(FrontOptions::default(), async |server| {
        let mut socket = server.connect().await;
        let poll = b"GET /poll HTTP/1.1\r\nHost: x\r\n\r\n";
        // Two at once, and one later.
        socket.write_all(&[poll.as_slice(), poll].concat()).await.expect("it reads");
        for _ in 0..2 {
            let answer = read_until(&mut socket, "batch").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK") && !answer.contains("close"), "{answer}");
        }
        socket.write_all(poll).await.expect("it reads");
        read_until(&mut socket, "batch").await;
        socket.write_all(b"GET /else HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
        read_until(&mut socket, "/else ").await;
        let old = b"GET /poll HTTP/1.0\r\n\r\n";
        let answer = server.ask(old).await;
        assert!(answer.starts_with("HTTP/1.0") && answer.contains("connection: close"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_was_given_back_ends_when_nothing_is_asked_or_the_server_stops() {
    let poll = b"GET /poll HTTP/1.1\r\nHost: x\r\n\r\n";
    with_server(quick(), async |server| {
        let answer = server.ask(poll).await;
        assert!(answer.ends_with("batch"), "nothing is said to whoever asked nothing: {answer}");
    })
    .await;
    with_server(FrontOptions::default(), async |mut server| {
        let mut socket = server.connect().await;
        socket.write_all(poll).await.expect("it reads");
        read_until(&mut socket, "batch").await;
        server.stop.send(true).expect("it listens");
        assert_eq!(read_to_end(&mut socket).await, "");
        server.endings.recv().await.expect("it has ended");
    })
    .await;
}
