//! Connections that end, and what the client does then, over both transports.

use std::time::{Duration, Instant};

use martlet_client::{
    Client, Code, Error, Options, State, Subscription, SubscriptionEvent, Transport,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::following::{BOTH, from_now, next, taken};
use crate::peer::{Peer, publication};
use crate::server::{PATIENCE, Server, event};

/// A client that follows `news` and has seen offset 1.
async fn followed(server: &mut Server) -> (Client, Subscription, Peer) {
    let client = server.client();
    let mut peer = server.peer().await;
    peer.let_in().await;
    let mut news = client.subscribe("news", from_now()).await.unwrap();
    let asked = peer.asked().await;
    peer.subscribed(&asked["id"], "news", 0).await;
    peer.publication("news", 1, 1).await;
    assert_eq!(taken(&mut news).await.0, 1);
    (client, news, peer)
}

fn place(connect: &Value) -> &Value {
    &connect["connect"]["subscribe"][0]["offset"]
}

#[tokio::test]
async fn a_cut_connection_is_made_again_from_the_same_place() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let (client, mut news, peer) = followed(&mut server).await;
        client.kill_connection().await;
        let mut second = server.peer().await;
        drop(peer);
        let connect = second.let_into_all().await;
        assert_eq!(*place(&connect), 1);
        assert_eq!(connect["connect"]["grant"], "g1.x");
        second.publication("news", 2, 2).await;
        assert!(matches!(next(&mut news).await, SubscriptionEvent::Subscribed(_)));
        assert_eq!(taken(&mut news).await.0, 2);
    }
}

#[tokio::test]
async fn half_a_frame_is_none() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let (_client, mut news, peer) = followed(&mut server).await;
        let frame = publication("news", 2, "half").to_string();
        let bytes = match transport {
            Transport::WebSocket => [&[0x81, 126, 0, frame.len() as u8], frame.as_bytes()].concat(),
            Transport::Sse => event(&frame).into_bytes(),
        };
        peer.say_raw(&bytes[..bytes.len() - 2]).await;
        drop(peer);
        let mut second = server.peer().await;
        assert_eq!(*place(&second.let_into_all().await), 1);
        second.publication("news", 2, "whole").await;
        assert_eq!(taken(&mut news).await, (2, "\"whole\"".into()));
    }
}

#[tokio::test]
async fn the_advice_of_a_close_is_obeyed() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let (client, _news, peer) = followed(&mut server).await;
        let mut states = client.states();
        assert!(matches!(states.next().await, Some(State::Connected(_))));
        let begun = Instant::now();
        peer.say(json!({"close": {
            "code": 3000, "name": "shutdown", "message": "The node is stopping.",
            "reconnect": true, "after": 300
        }}))
        .await;
        drop(peer);
        let Some(State::Disconnected { why, retry_in }) = states.next().await else { panic!() };
        assert_eq!(
            (why.code(), retry_in),
            (Some(Code::Shutdown), Some(Duration::from_millis(300)))
        );
        server.peer().await;
        assert!(begun.elapsed() >= Duration::from_millis(300));
    }
}

#[tokio::test]
async fn an_expired_grant_gives_way_to_the_token() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let options = Options { token: Some("t".into()), ..server.options() };
        let client = Client::connect(&server.url, options).unwrap();
        let mut peer = server.peer().await;
        peer.let_in().await;
        client.connected().await.unwrap();
        client.kill_connection().await;
        let mut second = server.peer().await;
        let connect = second.asked().await;
        assert_eq!(
            (&connect["connect"]["grant"], &connect["connect"]["token"]),
            (&json!("g1.x"), &Value::Null)
        );
        second.refuse(&connect["id"], Code::GrantExpired).await;
        let mut third = server.peer().await;
        let connect = third.let_in().await;
        assert_eq!(
            (&connect["connect"]["grant"], &connect["connect"]["token"]),
            (&Value::Null, &json!("t"))
        );
    }
}

#[tokio::test]
async fn repeats_are_dropped_and_holes_are_filled() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let (_client, mut news, mut peer) = followed(&mut server).await;
        peer.publication("news", 1, 1).await;
        peer.publication("news", 2, 2).await;
        peer.publication("news", 2, 2).await;
        peer.publication("news", 5, 5).await;
        assert_eq!(taken(&mut news).await.0, 2);
        assert_eq!(peer.asked().await["unsubscribe"], json!(["news"]));
        let asked = peer.asked().await;
        assert_eq!(asked["subscribe"][0]["offset"], 2);
        peer.subscribed(&asked["id"], "news", 2).await;
        for offset in 3..=5 {
            peer.publication("news", offset, offset).await;
            assert_eq!(taken(&mut news).await.0, offset);
        }
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_left() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let options = Options { connect_timeout: Duration::from_millis(100), ..server.options() };
        let client = Client::connect(&server.url, options).unwrap();
        let mut states = client.states();
        let _mute = server.peer().await;
        assert_eq!(states.next().await, Some(State::Connecting));
        let mut second = server.peer().await;
        while !matches!(
            states.next().await,
            Some(State::Disconnected { why: Error::Timeout(_), .. })
        ) {}
        second.let_in().await;
        client.connected().await.unwrap();
    }
}

#[tokio::test]
async fn a_listener_that_takes_connections_and_is_mute_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for transport in BOTH {
        let options = Options {
            transport,
            connect_timeout: Duration::from_millis(50),
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(2),
            ..Options::default()
        };
        let _client = Client::connect(&url, options).unwrap();
        let mut held = Vec::new();
        for _ in 0..3 {
            let taken = tokio::time::timeout(PATIENCE, listener.accept()).await;
            held.push(taken.expect("it tries again").unwrap());
        }
    }
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let client = server.client();
        let mut peer = server.peer().await;
        peer.let_in_with(json!({"ping": 100, "pong": 50})).await;
        client.connected().await.unwrap();
        let mut second = server.peer().await;
        second.let_in().await;
        drop(peer);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for transport in BOTH {
        let options = Options { transport, ..Options::default() };
        let client = Client::connect(&format!("http://{address}"), options).unwrap();
        let mut states = client.states();
        while let Some(state) = states.next().await {
            let State::Disconnected { why, retry_in } = state else { continue };
            let Error::Unreachable { address: told, .. } = &why else { panic!("{why:?}") };
            assert_eq!(*told, address.to_string());
            assert!(retry_in.is_some());
            break;
        }
    }
}

#[tokio::test]
async fn nonsense_from_the_server_ends_the_connection_only() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let (_client, mut news, peer) = followed(&mut server).await;
        peer.say("this is no event").await;
        let mut second = server.peer().await;
        second.let_into_all().await;
        second.publication("news", 2, 2).await;
        assert_eq!(taken(&mut news).await.0, 2);
    }
}
