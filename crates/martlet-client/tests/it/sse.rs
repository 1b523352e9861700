//! What only an event stream with requests beside it can do.

use martlet_client::{Client, Options, Transport};
use serde_json::json;

use crate::following::{from_now, taken};
use crate::peer::publication;
use crate::server::{Server, event};

#[tokio::test]
async fn a_character_cut_in_two_pieces_arrives_whole() {
    let mut server = Server::start(Transport::Sse).await;
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in().await;
    let mut news = client.subscribe("news", from_now()).await.unwrap();
    let asked = peer.asked().await;
    peer.subscribed(&asked["id"], "news", 0).await;
    let event = event(&publication("news", 1, "grüße 🐦").to_string());
    for byte in event.bytes() {
        peer.say_raw([byte]).await;
    }
    assert_eq!(taken(&mut news).await, (1, "\"grüße 🐦\"".into()));
}

#[tokio::test]
async fn comments_keep_a_stream_alive() {
    let mut server = Server::start(Transport::Sse).await;
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in_with(json!({"ping": 300, "pong": 300})).await;
    client.connected().await.unwrap();
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(1_000) {
        peer.say_raw(*b":\n").await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(matches!(client.state(), martlet_client::State::Connected(_)));
}

#[tokio::test]
async fn a_session_that_is_gone_is_made_again() {
    let mut server = Server::start(Transport::Sse).await;
    let client = server.client();
    let mut peer = server.peer().await;
    // The server forgets the session: its key leads nowhere.
    peer.let_in_with(json!({"session": "0000000000000000000000000z"})).await;
    client.connected().await.unwrap();
    let _news = client.subscribe("news", from_now()).await.unwrap();
    let mut second = server.peer().await;
    let connect = second.let_into_all().await;
    assert_eq!(connect["connect"]["subscribe"], json!([{"channel": "news"}]));
}

#[tokio::test]
async fn an_event_over_the_limit_ends_the_connection() {
    let mut server = Server::start(Transport::Sse).await;
    let options = Options { frame_bytes: 4_096, ..server.options() };
    let client = Client::connect(&server.url, options).unwrap();
    let mut peer = server.peer().await;
    peer.let_in().await;
    client.connected().await.unwrap();
    peer.say_raw(vec![b'x'; 5_000]).await;
    server.peer().await;
}
