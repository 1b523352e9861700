//! A WebSocket as tungstenite reads it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{Came, End};
use crate::route::Route;

pub struct Socket {
    socket: WebSocketStream<TcpStream>,
    binary: bool,
}

impl Socket {
    pub async fn open(address: SocketAddr, route: Route, frame: Vec<u8>) -> Self {
        let binary = route == Route::SocketProto;
        let protocol = if binary { "martlet.v1.proto" } else { "martlet.v1.json" };
        let mut request = format!("ws://{address}/v1/ws").into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
        let socket = super::connected(address).await;
        let (mut socket, response) =
            tokio_tungstenite::client_async(request, socket).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
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
