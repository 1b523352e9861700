//! Who is let in when many come: those who were here before go first, the others are told when,
//! and nobody who has not said who it is takes a place for long.

use std::time::Duration;

use martlet_server::config::{Config, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::follower::Follower;
use crate::http::{Http, count};
use crate::link::{End, Seen};
use crate::node::{TestNode, soon};
use crate::route::Route;
use crate::talk::Talk;

/// A node of one worker that lets in one client at a time, and another an hour later.
fn slow_node() -> TestNode {
    TestNode::open(|options| {
        options.server.workers = 1;
        options.admission.per_second = 1;
    })
}

/// Says `connect`; gives the answer, or the close that was told instead.
async fn comes(node: &TestNode, connect: Value) -> Result<Value, Value> {
    let mut talk = Talk::open(node).await;
    talk.send(&[json!({"id": 1, "connect": connect})]).await;
    loop {
        let event = talk.next().await;
        match (event.get("connected"), event.get("close")) {
            (Some(connected), _) => return Ok(connected.clone()),
            (_, Some(close)) => return Err(close.clone()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_comes_back_with_a_grant_goes_before_newcomers() {
    let node = slow_node();
    let first = comes(&node, json!({})).await.expect("there is room for one");
    let busy = comes(&node, json!({})).await.expect_err("and no more newcomers");
    assert_eq!((&busy["code"], &busy["reconnect"]), (&json!(3011), &json!(true)));
    let after = busy["after"].as_u64().expect("it is told when");
    assert!((250..=300_000).contains(&after), "{busy}");
    comes(&node, json!({"grant": first["grant"]})).await.expect("it was here before");
    assert!(count(&node, "martlet_clients_put_off_total").await >= 1);
}

#[tokio::test]
async fn who_is_put_off_is_told_on_every_route() {
    let node = slow_node();
    let _first = comes(&node, json!({})).await.expect("there is room for one");
    for path in ["/v1/stream?channel=a", "/v1/sse?channel=a"] {
        let answer = Http::new(&node).get(path).await;
        assert_eq!(answer.refused(), (503, 3011), "{path}");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1, "{path}");
    }
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    let request =
        "GET /v1/sse?channel=a HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    soon("the end", socket.read_to_string(&mut told)).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("retry: "), "{told}");
    let native = "/v1/poll?protocol=martlet.v1.json&connect=%7B%22connect%22%3A%7B%7D%7D";
    let answer = Http::new(&node).get(native).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status == 200 && text.contains("{\"close\":{\"code\":3011,"), "{text}");
    // Who only looks in keeps nothing, and is served.
    assert_eq!(Http::new(&node).get("/v1/poll?channel=a&wait=0").await.status, 200);
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_keep_others_out_for_long() {
    let node = TestNode::open(|options| {
        options.server.workers = 1;
        options.admission.handshakes = 3;
    });
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(Talk::open(&node).await);
    }
    while count(&node, "martlet_handshakes").await < 3 {
        tokio::task::yield_now().await;
    }
    let busy = Talk::open(&node).await.closed().await;
    assert_eq!(busy["code"], json!(3011), "{busy}");
    assert!(busy["after"].as_u64().expect("it is told when") >= 250);
    // One says who it is, and there is room.
    let connected = silent.pop().unwrap().ask("connect", json!({})).await;
    assert!(connected["connected"].is_object(), "{connected}");
    comes(&node, json!({})).await.expect("there is room");
}

#[tokio::test]
async fn old_connections_are_asked_to_come_back_at_once() {
    let mut config = Config::development();
    config.options.server.listen = vec![([127, 0, 0, 1], 0).into()];
    let settings: Settings = config.check().unwrap();
    let node = TestNode::of(&Settings { age: Duration::from_millis(400), ..settings });
    for route in [Route::SocketJson, Route::SocketProto, Route::Stream] {
        let mut follower = Follower::open(&node, route, &["a"]).await;
        let aged = Seen::Close { code: 3010, reconnect: true, after: Some(0) };
        assert_eq!(follower.step().await, aged, "{route:?}");
        let expected = if route.socket() { End::Closed(3010) } else { End::Whole };
        assert_eq!(follower.step().await, Seen::Ended(expected), "{route:?}");
    }
}
