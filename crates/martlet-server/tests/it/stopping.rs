//! The end of a node: every client is told when to come back, after it got everything that was
//! acknowledged.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::follower::Follower;
use crate::link::{End, Seen};
use crate::node::{PATIENCE, TestNode, soon};
use crate::route::Route;

#[tokio::test]
async fn a_stop_is_told_on_every_route_after_all_that_was_acknowledged() {
    let node = TestNode::open(|_| {});
    let backend = node.backend();
    let mut followers = Vec::new();
    for route in Route::ALL {
        followers.push(Follower::open(&node, route, &["a", "b"]).await);
    }
    backend.publish_large("a", 1, 16, 2_000).await;
    backend.publish_all("a", 17, 300).await;
    let stopping = tokio::spawn(node.stop(PATIENCE));
    let told = followers.into_iter().map(told_of_the_stop);
    futures_util::future::join_all(told).await;
    assert_eq!(soon("the end", stopping).await.unwrap(), 0);
}

async fn told_of_the_stop(mut follower: Follower) {
    let route = follower.route;
    // Who is known only while it asks comes anew each time, and a stopping node takes nobody.
    if !route.forgotten() {
        follower.read_until("a", 300).await;
    }
    let (code, after) = loop {
        match follower.step().await {
            Seen::Close { code, reconnect: true, after: Some(after) } => break (code, after),
            Seen::Publication { .. } if route.forgotten() => {}
            other => panic!("{route:?} is not told of the stop: {other:?}"),
        }
    };
    assert_eq!(code, 3000);
    assert!((250..=10_000).contains(&after), "{after}");
    let expected = if route.socket() { End::Closed(3000) } else { End::Whole };
    assert_eq!(follower.step().await, Seen::Ended(expected), "{route:?}");
}

#[tokio::test]
async fn who_is_behind_gets_the_time_to_catch_up() {
    let node = TestNode::open(|_| {});
    let mut followers = Vec::new();
    for route in Route::ALL.into_iter().filter(|route| !route.forgotten()) {
        followers.push(Follower::open(&node, route, &["a"]).await);
    }
    node.backend().publish_large("a", 1, 100, 50_000).await;
    let stopping = tokio::spawn(node.stop(PATIENCE));
    let reading = followers.into_iter().map(|mut follower| async move {
        follower.read_until("a", 100).await;
        assert_eq!(follower.gaps, [], "{:?}", follower.route);
        assert!(matches!(follower.step().await, Seen::Close { code: 3000, .. }));
    });
    futures_util::future::join_all(reading).await;
    soon("the end", stopping).await.unwrap();
}

/// Whoever comes back with what it was told last goes on where it was.
#[tokio::test]
async fn a_plain_poll_that_waits_is_told_of_the_stop_and_keeps_its_place() {
    let node = TestNode::open(|_| {});
    let published = node.backend().publish("a", 1).await;
    let cursor = format!("1.{}.a", published.position.epoch);
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    let path = format!("/v1/poll?channel=a&cursor={cursor}");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    while crate::http::count(&node, "martlet_sessions").await == 0 {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn(node.stop(PATIENCE));
    let mut bytes = Vec::new();
    soon("the end", socket.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(&format!("martlet-cursor: {cursor}\r\n")), "{text}");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let lines: Vec<_> = body.lines().collect();
    assert!(lines[0].starts_with("{\"close\":{\"code\":3000,"), "{text}");
    assert_eq!(lines[1..], [format!("{{\"cursor\":\"{cursor}\"}}")]);
    assert_eq!(soon("the end", stopping).await.unwrap(), 0);
}

#[tokio::test]
async fn followers_of_one_node_are_told_different_waits() {
    let node = TestNode::open(|_| {});
    let mut followers = Vec::new();
    for _ in 0..8 {
        followers.push(Follower::open(&node, Route::SocketJson, &["a"]).await);
    }
    let stopping = tokio::spawn(node.stop(PATIENCE));
    let mut waits = Vec::new();
    for follower in &mut followers {
        match follower.step().await {
            Seen::Close { after, .. } => waits.push(after),
            other => panic!("{other:?}"),
        }
    }
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 2, "they do not come back all at once: {waits:?}");
    drop(followers);
    soon("the end", stopping).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_go_is_waited_for_no_longer_than_the_grace() {
    let node = TestNode::open(|_| {});
    let backend = node.backend();
    let mut silent = Follower::open(&node, Route::SocketJson, &["a"]).await;
    backend.publish_large("a", 1, 400, 50_000).await;
    let stopping = node.stop(Duration::from_millis(300));
    assert_eq!(soon("the end", stopping).await, 1, "one client has not gone");
    while !matches!(silent.step().await, Seen::Ended(_)) {}
}

#[tokio::test]
async fn who_comes_during_the_stop_is_told_at_once() {
    let node = TestNode::open(|_| {});
    let head = "HTTP/1.1\r\nHost: localhost\r\n";
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let native = "/v1/sse?protocol=martlet.v1.json&connect=%7B%22connect%22%3A%7B%7D%7D";
    let requests = [
        (format!("GET /v1/ws {head}{upgrade}\r\n"), "101"),
        (format!("GET {native} {head}\r\n"), "200"),
        (format!("GET /v1/sse?channel=a {head}\r\n"), "503"),
    ];
    let mut comers = Vec::new();
    for (request, status) in requests {
        let mut socket = TcpStream::connect(node.address).await.unwrap();
        // It is accepted before the followers that come after it.
        socket.write_all(&request.as_bytes()[..1]).await.unwrap();
        comers.push((socket, request, status));
    }
    let mut silent = Follower::open(&node, Route::SocketJson, &["a"]).await;
    node.backend().publish_large("a", 1, 400, 50_000).await;
    let mut watcher = Follower::open(&node, Route::SocketJson, &["b"]).await;
    let stopping = tokio::spawn(node.stop(PATIENCE));
    assert!(matches!(watcher.step().await, Seen::Close { code: 3000, .. }));
    for (mut socket, request, status) in comers {
        socket.write_all(&request.as_bytes()[1..]).await.unwrap();
        let mut bytes = Vec::new();
        soon("the end", socket.read_to_end(&mut bytes)).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.contains("\"code\":3000"), "{text}");
    }
    silent.cut();
    watcher.cut();
    assert_eq!(soon("the end", stopping).await.unwrap(), 0);
}
