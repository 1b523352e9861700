//! Listeners that hand each connection of a client to the test as a [`Peer`]. They know how
//! frames travel; what is said is up to the test.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use martlet_client::{Client, Options, Transport};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server as handshake;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::peer::{Down, Peer};

/// Longer than anything takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A server of one transport.
pub struct Server {
    pub url: String,
    pub transport: Transport,
    peers: mpsc::Receiver<Peer>,
}

/// The commands of connections that go by requests, by the key of their session.
type Uplinks = Arc<Mutex<HashMap<String, mpsc::Sender<serde_json::Value>>>>;

impl Server {
    pub async fn start(transport: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, peers) = mpsc::channel(16);
        let uplinks = Uplinks::default();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                match transport {
                    Transport::WebSocket => tokio::spawn(websocket(socket, sender.clone())),
                    Transport::Sse => tokio::spawn(sse(socket, sender.clone(), uplinks.clone())),
                };
            }
        });
        Self { url, transport, peers }
    }

    /// Options that come back soon.
    pub fn options(&self) -> Options {
        Options {
            transport: self.transport,
            backoff_min: Duration::from_millis(5),
            backoff_max: Duration::from_millis(50),
            ..Options::default()
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.url, self.options()).unwrap()
    }

    /// The next connection.
    pub async fn peer(&mut self) -> Peer {
        tokio::time::timeout(PATIENCE, self.peers.recv()).await.expect("a connection").unwrap()
    }
}

fn parse(frame: &str) -> Vec<serde_json::Value> {
    frame.split('\n').map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Answers the opening as a server of the JSON protocol does.
#[allow(clippy::result_large_err)]
fn accept(
    request: &handshake::Request,
    mut response: handshake::Response,
) -> Result<handshake::Response, handshake::ErrorResponse> {
    assert_eq!(request.uri().path(), "/v1/ws");
    let protocol = request.headers()["sec-websocket-protocol"].clone();
    response.headers_mut().insert("sec-websocket-protocol", protocol);
    Ok(response)
}

async fn websocket(socket: TcpStream, peers: mpsc::Sender<Peer>) {
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(socket, accept).await else { return };
    let (commands, received) = mpsc::channel(64);
    let (sender, mut down) = mpsc::channel(64);
    if peers.send(Peer::new(received, sender)).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    for command in parse(&text) {
                        let _ = commands.send(command).await;
                    }
                }
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            said = down.recv() => match said {
                Some(Down::Frame(frame)) => {
                    let _ = socket.send(Message::text(frame)).await;
                }
                Some(Down::Raw(bytes)) => {
                    let _ = socket.get_mut().write_all(&bytes).await;
                }
                Some(Down::Close(code, reason)) => {
                    let close = CloseFrame { code: code.into(), reason: reason.into() };
                    let _ = socket.close(Some(close)).await;
                }
                None => return,
            },
        }
    }
}

async fn sse(socket: TcpStream, peers: mpsc::Sender<Peer>, uplinks: Uplinks) {
    let service = service_fn(move |request| {
        let (peers, uplinks) = (peers.clone(), uplinks.clone());
        async move { Ok::<_, Infallible>(answer(request, peers, uplinks).await) }
    });
    let io = TokioIo::new(socket);
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

type Body = BoxBody<Bytes, std::io::Error>;

fn full(status: StatusCode, body: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {});
    Response::builder().status(status).body(body.boxed()).unwrap()
}

async fn answer(
    request: Request<Incoming>,
    peers: mpsc::Sender<Peer>,
    uplinks: Uplinks,
) -> Response<Body> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().map(str::to_owned));
    let query = query.unwrap_or_default();
    let frame = request.into_body().collect().await.unwrap().to_bytes();
    let commands = parse(std::str::from_utf8(&frame).unwrap());
    match path.as_str() {
        "/v1/sse" => {
            assert_eq!(query, "protocol=martlet.v1.json");
            stream(commands, peers, uplinks).await
        }
        "/v1/send" => {
            let key = query.strip_prefix("session=").unwrap();
            let uplink = uplinks.lock().unwrap().get(key).cloned();
            let Some(uplink) = uplink else { return unknown_session() };
            for command in commands {
                if uplink.send(command).await.is_err() {
                    return unknown_session();
                }
            }
            full(StatusCode::NO_CONTENT, "")
        }
        other => panic!("asked for {other}"),
    }
}

fn unknown_session() -> Response<Body> {
    full(
        StatusCode::NOT_FOUND,
        r#"{"code":1009,"name":"unknown_session","message":"gone","hint":""}"#,
    )
}

async fn stream(
    first: Vec<serde_json::Value>,
    peers: mpsc::Sender<Peer>,
    uplinks: Uplinks,
) -> Response<Body> {
    let (commands, received) = mpsc::channel(64);
    let (sender, down) = mpsc::channel(64);
    for command in first {
        commands.send(command).await.unwrap();
    }
    let peer = Peer::new(received, sender);
    uplinks.lock().unwrap().insert(peer.session.clone(), commands);
    peers.send(peer).await.unwrap();
    let pieces = futures_util::stream::unfold(down, |mut down: mpsc::Receiver<Down>| async move {
        let piece = match down.recv().await? {
            Down::Frame(frame) => Bytes::from(event(&frame)),
            Down::Raw(bytes) => bytes.into(),
            Down::Close(..) => return None,
        };
        Some((Ok(Frame::data(piece)), down))
    });
    let body = BodyExt::boxed(StreamBody::new(pieces));
    Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
}

/// A frame as one event; a line feed in it begins a further line.
pub fn event(frame: &str) -> String {
    let lines: Vec<String> = frame.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("{}\n", lines.concat())
}
