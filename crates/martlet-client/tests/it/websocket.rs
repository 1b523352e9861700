//! What only a WebSocket can do.

use std::time::Duration;

use martlet_client::{Client, Code, Error, Options, State, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::server::Server;

#[tokio::test]
async fn the_code_of_a_close_frame_counts_when_nothing_was_said_before() {
    let mut server = Server::start(Transport::WebSocket).await;
    let client = server.client();
    let mut states = client.states();
    let mut peer = server.peer().await;
    peer.let_in().await;
    client.connected().await.unwrap();
    peer.close(3502, "bye").await;
    loop {
        match states.next().await {
            Some(State::Disconnected { why, retry_in }) => {
                assert_eq!((why.code(), retry_in), (Some(Code::Disconnected), None));
                return;
            }
            Some(_) => {}
            None => panic!("it ended without saying why"),
        }
    }
}

/// A listener that answers every request with `response`.
pub async fn answering(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(response.as_bytes()).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn a_refused_opening_says_why() {
    let url = answering(concat!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 77\r\n\r\n",
        r#"{"code":1109,"name":"origin_denied","message":"Not from here.","hint":"Hm."} "#,
    ))
    .await;
    for transport in [Transport::WebSocket, Transport::Sse] {
        let options = Options { transport, ..Options::default() };
        let error = Client::connect(&url, options).unwrap().connected().await.unwrap_err();
        assert_eq!(error.code(), Some(Code::OriginDenied));
        assert_eq!(error.to_string(), "Not from here.");
    }
}

#[tokio::test]
async fn another_server_is_recognised_and_tried_again() {
    for transport in [Transport::WebSocket, Transport::Sse] {
        let url = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        let options =
            Options { transport, backoff_min: Duration::from_millis(1), ..Options::default() };
        let client = Client::connect(&url, options).unwrap();
        let mut states = client.states();
        loop {
            if let Some(State::Disconnected { why, retry_in }) = states.next().await {
                assert!(matches!(why, Error::Foreign(_)), "{why:?}");
                assert!(retry_in.is_some());
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_frame_over_the_limit_ends_the_connection() {
    let mut server = Server::start(Transport::WebSocket).await;
    let options = Options { frame_bytes: 4_096, ..server.options() };
    let client = Client::connect(&server.url, options).unwrap();
    let mut peer = server.peer().await;
    peer.let_in().await;
    client.connected().await.unwrap();
    // A frame that says it has 4 GB.
    peer.say_raw([0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0]).await;
    server.peer().await;
}
