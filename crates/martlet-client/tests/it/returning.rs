//! What servers, and what stands before them, say about coming back, over real sockets.

use std::time::Duration;

use martlet_client::{Client, Code, Error, Options, State, Transport};
use serde_json::json;

use crate::following::{BOTH, from_now};
use crate::server::Server;
use crate::websocket::answering;

/// Why the client is not connected, and when it comes back.
async fn lost(client: &Client) -> (Error, Option<Duration>) {
    let mut states = client.states();
    loop {
        match states.next().await.expect("it says why") {
            State::Disconnected { why, retry_in } => return (why, retry_in),
            State::Connecting | State::Connected(_) => {}
        }
    }
}

#[tokio::test]
async fn it_goes_to_the_node_that_is_named_with_everything_it_sends() {
    for transport in BOTH {
        let mut first = Server::start(transport).await;
        let mut second = Server::start(transport).await;
        let client = first.client();
        let mut peer = first.peer().await;
        peer.let_in().await;
        client.connected().await.unwrap();
        peer.say(json!({"close": {
            "code": 3000, "name": "shutdown", "message": "The node is stopping.",
            "reconnect": true, "after": 30, "node": second.url
        }}))
        .await;
        let mut peer = second.peer().await;
        assert_eq!(peer.let_in().await["connect"]["grant"], "g1.x");
        let _news = client.subscribe("news", from_now()).await.unwrap();
        assert_eq!(peer.asked().await["subscribe"][0]["channel"], "news");
        drop((peer, second));
        first.peer().await.let_in().await;
    }
}

#[tokio::test]
async fn an_answer_says_when_to_come_back_in_its_body_or_its_header() {
    let told = concat!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 7\r\n",
        "content-length: 60\r\n\r\n",
        r#"{"code":3011,"name":"busy","message":"later","after":300000}"#,
    );
    let header = concat!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 7\r\n",
        "content-length: 45\r\n\r\n",
        r#"{"code":3011,"name":"busy","message":"later"}"#,
    );
    let proxy = concat!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html\r\nretry-after: 7\r\n",
        "content-length: 4\r\n\r\nWait",
    );
    for transport in BOTH {
        for (answer, code, after) in
            [(told, Some(Code::Busy), 300), (header, Some(Code::Busy), 7), (proxy, None, 7)]
        {
            let url = answering(answer).await;
            let options = Options { transport, ..Options::default() };
            let client = Client::connect(&url, options).unwrap();
            let (why, retry_in) = lost(&client).await;
            assert_eq!((why.code(), retry_in), (code, Some(Duration::from_secs(after))), "{why:?}");
        }
    }
}

#[tokio::test]
async fn the_number_of_a_close_frame_says_whether_to_come_back() {
    for (number, comes) in
        [(1001, true), (1012, true), (1013, true), (3011, true), (3499, true), (3999, false)]
    {
        let mut server = Server::start(Transport::WebSocket).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in().await;
        client.connected().await.unwrap();
        peer.close(number, "bye").await;
        let (why, retry_in) = lost(&client).await;
        assert_eq!(retry_in.is_some(), comes, "{number}: {why}");
    }
}
