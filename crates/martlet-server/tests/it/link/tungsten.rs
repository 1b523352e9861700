//! A WebSocket as tungstenite reads it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, split};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Came, End};
use crate::route::Route;

/// Whatever carries the bytes of a WebSocket.
trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

pub struct Socket {
    socket: WebSocketStream<Box<dyn Bytes>>,
    binary: bool,
}

impl Socket {
    pub async fn open(address: SocketAddr, route: Route, frame: Vec<u8>) -> Self {
        let binary = route == Route::SocketProto;
        let protocol = if binary { "martlet.v1.proto" } else { "martlet.v1.json" };
        let mut socket = match route.http2() {
            true => over_http2(address, protocol).await,
            false => over_http1(address, protocol).await,
        };
        let first = match binary {
            true => Message::binary(frame),
            false => Message::text(String::from_utf8(frame).unwrap()),
        };
        socket.send(first).await.unwrap();
        Self { socket, binary }
    }

    pub async fn next(&mut self) -> Came {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if !self.binary => {
                    return Came::Frame(text.as_bytes().to_vec());
                }
                Some(Ok(Message::Binary(bytes))) if self.binary => {
                    return Came::Frame(bytes.to_vec());
                }
                Some(Ok(Message::Close(Some(close)))) => {
                    return Came::Ended(End::Closed(close.code.into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Came::Ended(End::Cut),
            }
        }
    }
}

async fn over_http1(address: SocketAddr, protocol: &str) -> WebSocketStream<Box<dyn Bytes>> {
    let mut request = format!("ws://{address}/v1/ws").into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
    let socket: Box<dyn Bytes> = Box::new(super::connected(address).await);
    let (socket, response) = tokio_tungstenite::client_async(request, socket).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
    socket
}

/// A WebSocket as one stream of a connection of HTTP/2 (RFC 8441).
async fn over_http2(address: SocketAddr, protocol: &str) -> WebSocketStream<Box<dyn Bytes>> {
    let socket = super::connected(address).await;
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(async {
        // However it ends, the stream's reader hears of it.
        let _ = connection.await;
    });
    client = client.ready().await.unwrap();
    while !client.is_extended_connect_protocol_enabled() {
        // The server says so in its first frame.
        tokio::task::yield_now().await;
    }
    let request = http::Request::builder()
        .method("CONNECT")
        .uri(format!("http://{address}/v1/ws"))
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", protocol)
        .body(())
        .unwrap();
    let (response, sending) = client.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
    let (near, far) = tokio::io::duplex(16 * 1024);
    tokio::spawn(carry(far, response.into_body(), sending));
    let near: Box<dyn Bytes> = Box::new(near);
    WebSocketStream::from_raw_socket(near, Role::Client, None).await
}

/// Carries bytes between a stream of HTTP/2 and what reads like a socket.
async fn carry(
    far: DuplexStream,
    mut body: h2::RecvStream,
    mut sending: h2::SendStream<bytes::Bytes>,
) {
    let (mut from_near, mut to_near) = split(far);
    let down = async {
        while let Some(Ok(bytes)) = body.data().await {
            let _ = body.flow_control().release_capacity(bytes.len());
            if to_near.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to_near.shutdown().await;
    };
    let up = async {
        let mut bytes = vec![0; 4096];
        while let Ok(count @ 1..) = from_near.read(&mut bytes).await {
            let data = bytes::Bytes::copy_from_slice(&bytes[..count]);
            if sending.send_data(data, false).is_err() {
                return;
            }
        }
    };
    tokio::join!(down, async {
        up.await;
    });
    sending.send_reset(h2::Reason::CANCEL);
}
