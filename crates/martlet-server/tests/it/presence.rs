//! Members: their coming and going, and that a reconnect is neither.

use std::time::Duration;

use serde_json::{Value, json};

use crate::follower::Follower;
use crate::http::{Ask, Http, count};
use crate::node::TestNode;
use crate::route::Route;
use crate::talk::{Talk, worker_of};

fn node(grace: Duration) -> TestNode {
    TestNode::open(|options| options.channels.default.presence_grace = grace)
}

async fn member(node: &TestNode) -> (Talk, Value) {
    let (mut talk, connected) = Talk::connected(node, json!({})).await;
    talk.ask("subscribe", json!([{"channel": "a"}])).await;
    (talk, connected)
}

/// The clients of a channel.
async fn members(talk: &mut Talk) -> Vec<Value> {
    let answer = talk.ask("presence", json!({"channel": "a"})).await;
    let members = answer["presence"]["members"].as_array().unwrap();
    assert_eq!(answer["presence"]["count"], members.len());
    members.iter().map(|member| member["client"].clone()).collect()
}

/// A watcher that has seen itself join.
async fn watcher(node: &TestNode) -> Talk {
    let (mut talk, connected) = member(node).await;
    assert_eq!(talk.wait_for("join").await["client"], connected["client"]);
    talk
}

#[tokio::test]
async fn members_come_and_go() {
    let node = node(Duration::from_secs(60));
    let mut watcher = watcher(&node).await;
    let (mut one, first) = member(&node).await;
    assert_eq!(watcher.wait_for("join").await["client"], first["client"]);
    let (other, second) = member(&node).await;
    assert_eq!(watcher.wait_for("join").await["client"], second["client"]);
    let all = members(&mut watcher).await;
    assert!(all.len() == 3 && all.contains(&first["client"]) && all.contains(&second["client"]));

    one.ask("unsubscribe", json!(["a"])).await;
    assert_eq!(watcher.wait_for("leave").await["client"], first["client"]);
    other.leave().await;
    assert_eq!(watcher.wait_for("leave").await["client"], second["client"]);
    assert_eq!(members(&mut watcher).await.len(), 1);
}

#[tokio::test]
async fn nobody_sees_a_reconnect() {
    let node = node(Duration::from_secs(60));
    let mut watcher = watcher(&node).await;
    let (mut talk, mut connected) = member(&node).await;
    let client = connected["client"].clone();
    assert_eq!(watcher.wait_for("join").await["client"], client);
    let mut workers = vec![worker_of(&connected)];
    for round in 0..6 {
        if round % 2 == 0 {
            drop(talk);
        }
        let connect = json!({
            "grant": connected["grant"], "session": connected["session"],
            "subscribe": [{"channel": "a"}],
        });
        (talk, connected) = Talk::connected(&node, connect).await;
        talk.wait_for("subscribed").await;
        workers.push(worker_of(&connected));
    }
    assert_eq!(members(&mut watcher).await.len(), 2);
    // A witness that joins after all of that: whatever was told before it has come by then.
    let (_witness, witnessed) = member(&node).await;
    let next = watcher.next().await;
    assert_eq!(next["join"]["client"], witnessed["client"], "{next}");
    workers.sort();
    workers.dedup();
    assert!(workers.len() > 1, "it was on several workers");
}

#[tokio::test]
async fn who_does_not_come_back_leaves_when_the_grace_has_passed() {
    let node = node(Duration::from_millis(300));
    let mut watcher = watcher(&node).await;
    let (talk, connected) = member(&node).await;
    watcher.wait_for("join").await;
    drop(talk);
    assert_eq!(watcher.wait_for("leave").await["client"], connected["client"]);
    assert_eq!(members(&mut watcher).await.len(), 1);
}

#[tokio::test]
async fn a_member_shows_its_user_and_info() {
    let secret = crate::talk::SECRET;
    let node = TestNode::configured(&format!(
        "[[auth.tokens]]\nsecret = \"{secret}\"\n[channels.default]\npresence = true\n\
         join_leave = true\nsubscribe = \"anyone\"\nsee_presence = \"anyone\"\n"
    ));
    let mut watcher = watcher(&node).await;
    let token = crate::talk::token(json!({"sub": "ann", "info": {"name": "Ann"}}));
    let (mut talk, connected) = Talk::connected(&node, json!({"token": token})).await;
    talk.ask("subscribe", json!([{"channel": "a"}])).await;
    let expected = json!({"client": connected["client"], "user": "ann", "info": {"name": "Ann"}});
    let mut join = watcher.wait_for("join").await;
    join.as_object_mut().unwrap().remove("channel");
    assert_eq!(join, expected);
    let answer = watcher.ask("presence", json!({"channel": "a"})).await;
    assert!(answer["presence"]["members"].as_array().unwrap().contains(&expected));
}

/// It comes back as somebody else, so nobody is to wait for it.
#[tokio::test]
async fn a_plain_reader_that_goes_is_gone() {
    let node = node(Duration::from_secs(600));
    let mut watcher = watcher(&node).await;
    for route in [Route::PlainOne, Route::PlainLines, Route::Parts] {
        let follower = Follower::open(&node, route, &["a"]).await;
        let client = watcher.wait_for("join").await["client"].clone();
        drop(follower);
        assert_eq!(watcher.wait_for("leave").await["client"], client, "{route:?}");
    }
}

/// The end of a stream may be seen before the request by which its client says that it goes.
#[tokio::test]
async fn who_says_so_after_its_connection_has_ended_is_gone() {
    let node = node(Duration::from_secs(600));
    let mut watcher = watcher(&node).await;
    let (talk, connected) = member(&node).await;
    watcher.wait_for("join").await;
    drop(talk);
    while count(&node, "martlet_connections").await > 1 {
        tokio::task::yield_now().await;
    }
    let leave = format!("/v1/send?session={}&leave=true", connected["session"].as_str().unwrap());
    assert_eq!(Http::new(&node).ask(Ask::post(&leave, "")).await.status, 204);
    assert_eq!(watcher.wait_for("leave").await["client"], connected["client"]);
}
