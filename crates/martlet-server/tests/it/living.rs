//! Signs of life and limits: who is silent is closed, who is busy is not asked, who asks too much
//! is told when to go on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::follower::Follower;
use crate::http::{Ask, Http};
use crate::node::TestNode;
use crate::route::Route;
use crate::talk::{SECRET, Talk, token, worker_of};

const SECOND: Duration = Duration::from_secs(1);

/// A node with a quick heart.
fn quick() -> TestNode {
    TestNode::open(|options| {
        options.heartbeat.ping = SECOND;
        options.heartbeat.pong = SECOND;
    })
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_closed() {
    let node = quick();
    let (mut talk, connected) = Talk::connected(&node, json!({})).await;
    assert_eq!((&connected["ping"], &connected["pong"]), (&json!(1_000), &json!(1_000)));
    talk.answers = false;
    let close = talk.closed().await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3001), &json!(true)));
    assert_eq!(talk.pings, 1);
}

#[tokio::test]
async fn a_client_that_answers_lives_on_and_a_busy_one_is_not_asked() {
    let node = quick();
    let backend = node.backend();
    let (mut idle, _) = Talk::connected(&node, json!({})).await;
    let (mut busy, _) = Talk::connected(&node, json!({"subscribe": [{"channel": "a"}]})).await;
    busy.wait_for("subscribed").await;
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    for n in 1..=32 {
        beat.tick().await;
        backend.publish("a", n).await;
        assert_eq!(busy.wait_for("publication").await["offset"], n);
        // Nothing that is waited for comes to the idle one: its answers to pings go out here.
        let _ = tokio::time::timeout(Duration::from_millis(1), idle.next()).await;
    }
    assert_eq!(busy.pings, 0, "its connection was never silent");
    assert!(idle.pings >= 2, "{} pings", idle.pings);
    assert!(idle.ask("ping", json!({})).await["pong"]["time"].is_u64());
}

#[tokio::test]
async fn streams_beat_in_the_words_of_their_layout() {
    let node = quick();
    let streams = [
        Route::Stream,
        Route::StreamHttp2,
        Route::PlainOne,
        Route::PlainHttp2,
        Route::Lines,
        Route::PlainLines,
        Route::Html,
        Route::PlainHtml,
        Route::Parts,
    ];
    for route in streams {
        let mut follower = Follower::open(&node, route, &["a", "b"]).await;
        let link = follower.link();
        let begun = link.beats;
        let beats = async {
            while link.beats < begun + 2 {
                // Only beats come: what is asked for never does.
                let _ = tokio::time::timeout(Duration::from_millis(50), link.next()).await;
            }
        };
        crate::node::soon("the beats", beats).await;
    }
}

#[tokio::test]
async fn who_never_says_connect_is_closed() {
    let node = TestNode::open(|options| options.limits.connect_timeout = SECOND);
    let mut talk = Talk::open(&node).await;
    assert_eq!(talk.refusal("subscribe", json!([{"channel": "a"}])).await, 1003);
    assert_eq!(talk.closed().await["code"], 3005);
    let (mut talk, _) = Talk::connected(&node, json!({})).await;
    assert_eq!(talk.refusal("connect", json!({})).await, 1004);
}

#[tokio::test]
async fn commands_over_the_rate_are_told_when_to_go_on() {
    let node = TestNode::open(|options| {
        options.limits.commands_per_second = 4;
        options.limits.commands_burst = 4;
    });
    let (mut talk, _) = Talk::connected(&node, json!({})).await;
    for _ in 0..4 {
        talk.ask("ping", json!({})).await;
    }
    let error = talk.ask("ping", json!({})).await["error"].clone();
    assert_eq!((&error["code"], &error["temporary"]), (&json!(1304), &json!(true)));
    let after = error["after"].as_u64().unwrap();
    assert!((1..=250).contains(&after), "{after}");
    tokio::time::sleep(Duration::from_millis(after)).await;
    assert!(talk.ask("ping", json!({})).await["pong"].is_object(), "it waited as it was told");
}

#[tokio::test]
async fn who_goes_on_over_the_rate_is_closed_for_good() {
    let node = TestNode::open(|options| {
        options.limits.commands_per_second = 1;
        options.limits.commands_burst = 1;
    });
    let (mut talk, _) = Talk::connected(&node, json!({})).await;
    for _ in 0..6 {
        talk.send(&vec![json!({"ping": {}}); 200]).await;
    }
    let close = talk.closed().await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3503), &json!(false)));
}

#[tokio::test]
async fn a_user_has_one_rate_over_all_connections() {
    let node = TestNode::configured(&format!(
        "[[auth.tokens]]\nsecret = \"{SECRET}\"\n[channels.default]\npublish = \"users\"\n\
         [limits]\nuser_publications_per_second = 1\nuser_publications_burst = 3\n"
    ));
    let connect = |user: &str| json!({"token": token(json!({"sub": user}))});
    let (mut one, first) = Talk::connected(&node, connect("ann")).await;
    let (mut two, second) = Talk::connected(&node, connect("ann")).await;
    assert_ne!(worker_of(&first), worker_of(&second));
    let publish = json!({"channel": "a", "data": 1});
    one.ask("publish", publish.clone()).await;
    for talk in [&mut one, &mut two] {
        assert!(talk.ask("publish", publish.clone()).await["published"].is_object());
    }
    for talk in [&mut one, &mut two] {
        let error = talk.ask("publish", publish.clone()).await["error"].clone();
        assert_eq!((&error["code"], &error["channel"]), (&json!(1304), &json!("a")));
        assert!((1..=1_000).contains(&error["after"].as_u64().unwrap()), "{error}");
    }
    let (mut bob, _) = Talk::connected(&node, connect("bob")).await;
    assert!(bob.ask("publish", publish).await["published"].is_object(), "others are not meant");
}

#[tokio::test]
async fn a_client_follows_no_more_channels_than_it_may() {
    let node = TestNode::open(|options| options.limits.channels_per_client = 3);
    let (mut talk, _) = Talk::connected(&node, json!({})).await;
    for n in 0..3 {
        let followed = talk.ask("subscribe", json!([{"channel": format!("a{n}")}])).await;
        assert!(followed["subscribed"].is_object());
    }
    assert_eq!(talk.refusal("subscribe", json!([{"channel": "b"}])).await, 1210);
    assert_eq!(talk.refusal("subscribe", json!([{"channel": "a1"}])).await, 1208);
    talk.ask("unsubscribe", json!(["a0"])).await;
    assert_eq!(talk.refusal("unsubscribe", json!(["a0"])).await, 1209);
    let followed = talk.ask("subscribe", json!([{"channel": "b"}])).await;
    assert!(followed["subscribed"].is_object());
    let many: Vec<Value> = (0..4).map(|n| json!({"channel": format!("c{n}")})).collect();
    assert_eq!(talk.refusal("subscribe", json!(many)).await, 1210);
    let stream = "/v1/sse?channel=a&channel=b&channel=c&channel=d";
    assert_eq!(Http::new(&node).get(stream).await.refused(), (409, 1210));
}

#[tokio::test]
async fn a_key_publishes_once_by_whatever_way_it_comes() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let (mut talk, _) = Talk::connected(&node, json!({})).await;
    let mut follower = Follower::open(&node, Route::SocketJson, &["a"]).await;
    let publish = json!({"channel": "a", "data": {"c": "a", "n": 1}, "key": "k-1"});
    let first = talk.ask("publish", publish.clone()).await["published"].clone();
    assert!(first.get("duplicate").is_none());
    let again = talk.ask("publish", publish.clone()).await["published"].clone();
    let by_body = http.post("/v1/publish", &publish).await.good();
    let mut without = publish.clone();
    without.as_object_mut().unwrap().remove("key");
    let ask = Ask::post("/v1/publish", without.to_string()).with("idempotency-key", "k-1");
    let by_header = http.ask(ask).await.good();
    for repeat in [again, by_body, by_header] {
        assert_eq!(repeat["duplicate"], true);
        assert_eq!((&repeat["id"], &repeat["offset"]), (&first["id"], &first["offset"]));
    }
    node.backend().publish("a", 2).await;
    follower.read_until("a", 2).await;
}

#[tokio::test]
async fn commands_of_one_frame_are_done_in_order() {
    let node = TestNode::open(|options| options.server.workers = 1);
    let (mut talk, _) = Talk::connected(&node, json!({})).await;
    for round in 0..20 {
        let channel = format!("a{round}");
        talk.send(&[
            json!({"id": 1, "publish": {"channel": channel, "data": 1}}),
            json!({"id": 2, "subscribe": [{"channel": channel}]}),
            json!({"id": 3, "publish": {"channel": channel, "data": 2}}),
        ])
        .await;
        assert_eq!(talk.wait_for("subscribed").await["offset"], 1);
        assert_eq!(talk.wait_for("publication").await["data"], 2);
    }
}
