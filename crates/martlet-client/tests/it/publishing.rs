//! Publishing and asking over both transports, also while the connection is away.

use martlet_client::{Code, Error, HistoryQuery, Message, Options};
use serde_json::json;

use crate::following::BOTH;
use crate::peer::EPOCH;
use crate::server::Server;

fn message(text: &str) -> Message {
    Message::json(text).unwrap().name("said").reference("m-1").tag("lang", "en")
}

#[tokio::test]
async fn a_publication_has_its_receipt() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in().await;
        let publishing = tokio::spawn(async move { client.publish("a", message("hi")).await });
        let asked = peer.asked().await;
        let mut publish = asked["publish"].clone();
        assert!(publish["key"].as_str().unwrap().len() > 30);
        publish["key"] = json!("k");
        assert_eq!(
            publish,
            json!({
                "channel": "a", "data": "hi", "name": "said", "ref": "m-1", "tags": {"lang": "en"},
                "key": "k"
            })
        );
        peer.published(&asked["id"], 7, false).await;
        assert_eq!(publishing.await.unwrap().unwrap().position.offset, 7);
    }
}

#[tokio::test]
async fn a_publication_survives_the_loss_of_its_answer() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in().await;
        let publishing = tokio::spawn(async move { client.publish("a", message("hi")).await });
        let first = peer.asked().await;
        drop(peer);
        let mut second = server.peer().await;
        second.let_in().await;
        let again = second.asked().await;
        assert_eq!(again["publish"], first["publish"], "the same key");
        second.published(&again["id"], 7, true).await;
        assert!(publishing.await.unwrap().unwrap().duplicate);
    }
}

#[tokio::test]
async fn what_waits_for_a_connection_is_bounded() {
    let mut server = Server::start(BOTH[0]).await;
    let options = Options { waiting: 2, ..server.options() };
    let client = martlet_client::Client::connect(&server.url, options).unwrap();
    let publish = |text: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.publish("a", message(text)).await })
    };
    // One thread runs them in the order in which they are spawned.
    let (first, second) = (publish("1"), publish("2"));
    assert_eq!(publish("3").await.unwrap(), Err(Error::Full));
    let mut peer = server.peer().await;
    peer.let_in().await;
    for offset in 1..=2 {
        let asked = peer.asked().await;
        peer.published(&asked["id"], offset, false).await;
    }
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_refusal_keeps_its_code() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in().await;
        let asking = tokio::spawn(async move { client.presence("a").await });
        let asked = peer.asked().await;
        peer.refuse(&asked["id"], Code::PresenceOff).await;
        let error = asking.await.unwrap().unwrap_err();
        assert_eq!(error.code(), Some(Code::PresenceOff));
        assert!(!error.temporary());
    }
}

#[tokio::test]
async fn history_is_read_by_pages() {
    let mut server = Server::start(BOTH[0]).await;
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in().await;
    let asking = tokio::spawn(async move { client.history("a", HistoryQuery::newest(1)).await });
    let asked = peer.asked().await;
    assert_eq!(asked["history"], json!({"channel": "a", "limit": 1, "reverse": true}));
    peer.say(json!({"id": asked["id"], "history": {
        "channel": "a", "epoch": EPOCH, "offset": 9, "more": true,
        "publications": [
            {"id": format!("{:026}", 9), "epoch": EPOCH, "offset": 9, "time": 1, "bytes": "AQI="}
        ]
    }}))
    .await;
    let page = asking.await.unwrap().unwrap();
    assert_eq!(page.publications[0].data, martlet_client::Data::Bytes(vec![1, 2].into()));
    assert!(page.more);
}

#[tokio::test]
async fn the_way_to_the_server_and_back_is_measured() {
    let mut server = Server::start(BOTH[1]).await;
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in().await;
    let asking = tokio::spawn(async move { client.ping().await });
    let asked = peer.asked().await;
    peer.say(json!({"id": asked["id"], "pong": {"time": 1}})).await;
    assert!(asking.await.unwrap().unwrap() > std::time::Duration::ZERO);
}
