//! Following channels over both transports.

use martlet_client::{
    Code, Data, Error, Options, State, SubscribeOptions, Subscription, SubscriptionEvent,
    TokenSource, Transport,
};
use serde_json::json;

use crate::server::{PATIENCE, Server};

pub const BOTH: [Transport; 2] = [Transport::WebSocket, Transport::Sse];

/// The next event, which has to come.
pub async fn next(subscription: &mut Subscription) -> SubscriptionEvent {
    let event = tokio::time::timeout(PATIENCE, subscription.next()).await;
    event.expect("an event").expect("the subscription lives")
}

/// The next publication's offset and data.
pub async fn taken(subscription: &mut Subscription) -> (u64, String) {
    let publication = tokio::time::timeout(PATIENCE, subscription.publication()).await;
    let publication = publication.expect("a publication").expect("the subscription lives");
    let Data::Json(json) = &publication.data else { panic!("{publication:?}") };
    (publication.position.offset, String::from_utf8(json.to_vec()).unwrap())
}

pub fn from_now() -> SubscribeOptions {
    SubscribeOptions::default()
}

#[tokio::test]
async fn a_channel_is_followed() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in().await;
        assert_eq!(client.connected().await.unwrap().client.to_string(), "0q3000000000a");
        let mut news = client.subscribe("news", from_now()).await.unwrap();
        let asked = peer.asked().await;
        assert_eq!(asked["subscribe"], json!([{"channel": "news"}]));
        peer.subscribed(&asked["id"], "news", 41).await;
        peer.publication("news", 42, "hello").await;
        assert!(matches!(next(&mut news).await, SubscriptionEvent::Subscribed(_)));
        assert_eq!(taken(&mut news).await, (42, "\"hello\"".into()));
        assert_eq!(news.position().unwrap().offset, 42);
        assert_eq!(client.cursor().await.unwrap().to_string(), "42.k3f9x2ab.news");
    }
}

#[tokio::test]
async fn several_events_in_one_frame_are_all_taken() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in().await;
        let mut news = client.subscribe("news", from_now()).await.unwrap();
        let asked = peer.asked().await;
        peer.subscribed(&asked["id"], "news", 0).await;
        let frame = [1, 2, 3].map(|offset| crate::peer::publication("news", offset, offset));
        peer.say(frame.map(|publication| publication.to_string()).join("\n")).await;
        for offset in 1..=3 {
            assert_eq!(taken(&mut news).await.0, offset);
        }
    }
}

#[tokio::test]
async fn a_refused_channel_ends_with_the_reason() {
    let mut server = Server::start(Transport::WebSocket).await;
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in().await;
    let mut news = client.subscribe("news", from_now()).await.unwrap();
    let asked = peer.asked().await;
    let code = Code::SubscribeDenied;
    peer.say(json!({"id": asked["id"], "error": {
        "code": code.number(), "name": code.name(), "message": code.message(),
        "hint": code.hint(), "channel": "news", "temporary": false
    }}))
    .await;
    let SubscriptionEvent::Error(error) = next(&mut news).await else { panic!("it was let in") };
    assert_eq!(error.code(), Some(code));
    assert_eq!(error.hint(), code.hint());
    assert_eq!(news.next().await, None);
}

#[tokio::test]
async fn a_dropped_subscription_is_left() {
    let mut server = Server::start(Transport::WebSocket).await;
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in().await;
    let news = client.subscribe("news", from_now()).await.unwrap();
    let asked = peer.asked().await;
    peer.subscribed(&asked["id"], "news", 0).await;
    let twice = client.subscribe("news", from_now()).await.unwrap_err();
    assert!(matches!(twice, Error::AlreadySubscribed(_)));
    drop(news);
    let again = client.subscribe("news", from_now()).await.unwrap();
    assert_eq!(peer.asked().await["unsubscribe"], json!(["news"]));
    assert_eq!(peer.asked().await["subscribe"], json!([{"channel": "news"}]));
    assert_eq!(again.position(), None);
}

#[tokio::test]
async fn the_connection_ends_with_the_last_handle_and_not_before() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in().await;
        let mut news = client.subscribe("news", from_now()).await.unwrap();
        drop(client);
        let asked = peer.asked().await;
        peer.subscribed(&asked["id"], "news", 0).await;
        peer.publication("news", 1, 1).await;
        assert_eq!(taken(&mut news).await.0, 1);
        drop(news);
        if transport == Transport::WebSocket {
            while let Some(command) = peer.asked_or_gone().await {
                assert_eq!(command["unsubscribe"], json!(["news"]));
            }
        }
    }
}

#[tokio::test]
async fn a_closed_client_says_so() {
    let mut server = Server::start(Transport::WebSocket).await;
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in().await;
    client.connected().await.unwrap();
    let mut news = client.subscribe("news", from_now()).await.unwrap();
    client.close().await;
    assert_eq!(next(&mut news).await, SubscriptionEvent::Error(Error::Closed));
    assert_eq!(client.state(), State::Disconnected { why: Error::Closed, retry_in: None });
    assert_eq!(client.ping().await, Err(Error::Closed));
    client.close().await;
    while let Some(command) = peer.asked_or_gone().await {
        assert!(command.get("subscribe").is_some());
    }
}

#[tokio::test]
async fn what_the_server_begins_is_offered() {
    let mut server = Server::start(Transport::WebSocket).await;
    let options = Options { take_offered: true, ..server.options() };
    let client = martlet_client::Client::connect(&server.url, options).unwrap();
    let mut peer = server.peer().await;
    peer.let_in().await;
    peer.say(json!({"subscribed": {
        "channel": "inbox", "epoch": "k3f9x2ab", "offset": 0, "head": 0, "recovered": false
    }}))
    .await;
    peer.publication("inbox", 1, "you").await;
    let mut inbox = tokio::time::timeout(PATIENCE, client.offered()).await.unwrap().unwrap();
    assert_eq!(inbox.channel().as_str(), "inbox");
    assert_eq!(taken(&mut inbox).await, (1, "\"you\"".into()));
}

#[tokio::test]
async fn tokens_come_from_their_source() {
    let mut server = Server::start(Transport::WebSocket).await;
    let source = TokenSource::new(|request| async move {
        let asked = request.channel.map_or("all".into(), |channel| channel.to_string());
        Ok::<_, Error>(format!("token-of-{asked}"))
    });
    let options = Options { get_token: Some(source.clone()), ..server.options() };
    let client = martlet_client::Client::connect(&server.url, options).unwrap();
    let mut peer = server.peer().await;
    assert_eq!(peer.let_in().await["connect"]["token"], "token-of-all");
    let options = SubscribeOptions { get_token: Some(source), ..from_now() };
    let _room = client.subscribe("room:1", options).await.unwrap();
    assert_eq!(peer.asked().await["subscribe"][0]["token"], "token-of-room:1");
}

#[tokio::test]
async fn what_is_followed_before_the_start_goes_in_the_first_frame() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = martlet_client::Client::new(&server.url, server.options()).unwrap();
        let _a = client.subscribe("a", from_now()).await.unwrap();
        let _b = client.subscribe("b", from_now()).await.unwrap();
        client.start().await.unwrap();
        let connect = server.peer().await.let_in().await;
        let channels = json!([{"channel": "a"}, {"channel": "b"}]);
        assert_eq!(connect["connect"]["subscribe"], channels);
    }
}
