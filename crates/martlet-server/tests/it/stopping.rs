//! The end of a node: every client is told when to come back, after it got everything that was
//! acknowledged.

use std::time::Duration;

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
    for follower in &mut followers {
        follower.read_until("a", 300).await;
        let route = follower.route;
        let Seen::Close { code: 3000, reconnect: true, after: Some(after) } = follower.step().await
        else {
            panic!("{route:?} is not told of the stop");
        };
        assert!((250..=10_000).contains(&after), "{after}");
        let expected = if route.socket() { End::Closed(3000) } else { End::Whole };
        assert_eq!(follower.step().await, Seen::Ended(expected), "{route:?}");
        follower.cut();
    }
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
