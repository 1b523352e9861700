//! Who a client is and what it may do: tokens, permissions, and their end.

use serde_json::{Value, json};

use crate::http::Http;
use crate::node::TestNode;
use crate::talk::{SECRET, Talk, in_seconds, token};

/// A node that lets in whoever has a token.
fn closed(more: &str) -> TestNode {
    TestNode::configured(&format!(
        "[auth]\nanonymous = false\nleeway = \"0s\"\n[[auth.tokens]]\nsecret = \"{SECRET}\"\n\
         [channels.default]\nhistory_size = 10\npresence = true\n\
         [channels.namespace.room]\nsubscribe = \"users\"\npublish = \"users\"\n\
         [channels.namespace.own]\nsubscribe = \"backend\"\n{more}"
    ))
}

/// The code with which a `connect` is refused; the connection has to end with it.
async fn refused(node: &TestNode, connect: Value) -> u64 {
    let mut talk = Talk::open(node).await;
    let code = talk.refusal("connect", connect).await;
    let close = talk.closed().await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3501), &json!(false)));
    code
}

#[tokio::test]
async fn a_token_says_who_the_client_is() {
    let node = closed("");
    let exp = in_seconds(60.0).floor();
    let (_talk, connected) =
        Talk::connected(&node, json!({"token": token(json!({"sub": "ann", "exp": exp}))})).await;
    assert_eq!(connected["user"], "ann");
    assert_eq!(connected["expires"], json!((exp * 1_000.0) as u64));
    assert_eq!(connected["resumed"], false);
}

#[tokio::test]
async fn without_a_good_token_nobody_gets_in() {
    let node = closed("");
    let cases = [
        (json!({}), 1100),
        (json!({"token": "not a token"}), 1101),
        (json!({"token": token(json!({"exp": 1}))}), 1102),
        (json!({"token": token(json!({"nbf": in_seconds(99.0)}))}), 1103),
        (json!({"token": token(json!({"channel": "a"}))}), 1104),
        (json!({"token": token(json!({"aud": "another"}))}), 1101),
        (json!({"grant": "g1.forged"}), 1105),
    ];
    for (connect, code) in cases {
        assert_eq!(refused(&node, connect.clone()).await, code, "{connect}");
    }
}

#[tokio::test]
async fn a_plain_stream_without_a_good_token_is_answered_by_a_status() {
    let node = closed("");
    for http2 in [false, true] {
        let http = Http::version(&node, http2);
        let cases = [
            ("/v1/sse?channel=room:a".to_owned(), (401, 1100)),
            ("/v1/sse?channel=room:a&token=x".to_owned(), (401, 1101)),
            (format!("/v1/sse?channel=a&token={}", token(json!({"sub": "ann"}))), (403, 1202)),
            (format!("/v1/sse?channel=nowhere:a&token={}", token(json!({}))), (404, 1201)),
        ];
        for (path, expected) in cases {
            assert_eq!(http.get(&path).await.refused(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn permissions_open_channels_for_what_they_name() {
    let node = closed("");
    let claims = json!({"sub": "ann", "permissions": {
        "news": ["subscribe"], "log": ["publish", "history"], "who*": ["presence"],
    }});
    let (mut talk, _) = Talk::connected(&node, json!({"token": token(claims)})).await;
    let subscribe = |channel: &str| json!([{"channel": channel}]);
    let publish = |channel: &str| json!({"channel": channel, "data": 1});
    assert!(talk.ask("subscribe", subscribe("news")).await["subscribed"].is_object());
    assert_eq!(talk.refusal("subscribe", subscribe("log")).await, 1202);
    assert!(talk.ask("publish", publish("log")).await["error"].is_object());
    assert_eq!(talk.refusal("publish", publish("news")).await, 1203);
    assert!(talk.ask("history", json!({"channel": "log"})).await["history"].is_object());
    assert_eq!(talk.refusal("history", json!({"channel": "news"})).await, 1204);
    assert!(talk.ask("presence", json!({"channel": "who"})).await["presence"].is_object());
    assert_eq!(talk.refusal("presence", json!({"channel": "news"})).await, 1205);
    assert!(talk.ask("publish", publish("room:1")).await["published"].is_object());
    assert_eq!(talk.refusal("subscribe", subscribe("own:1")).await, 1202);
    assert_eq!(talk.refusal("subscribe", subscribe("nowhere:1")).await, 1201);
}

#[tokio::test]
async fn a_token_for_a_channel_opens_that_channel() {
    let node = closed("");
    let (mut talk, _) =
        Talk::connected(&node, json!({"token": token(json!({"sub": "ann"}))})).await;
    let with = |claims: Value| json!([{"channel": "a", "token": token(claims)}]);
    assert_eq!(talk.refusal("subscribe", with(json!({"channel": "b"}))).await, 1104);
    let foreign = with(json!({"channel": "a", "sub": "bob"}));
    assert_eq!(talk.refusal("subscribe", foreign).await, 1104);
    let good = talk.ask("subscribe", with(json!({"channel": "a", "sub": "ann"}))).await;
    assert_eq!(good["subscribed"]["channel"], "a");
    assert!(talk.wait_for("grant").await["grant"].is_string(), "the grant has it from now on");
    assert!(talk.ask("history", json!({"channel": "a"})).await["history"].is_object());
    assert_eq!(talk.refusal("publish", json!({"channel": "a", "data": 1})).await, 1203);
}

#[tokio::test]
async fn channels_of_the_token_are_followed_by_themselves() {
    let node = closed("");
    let claims = json!({"sub": "ann", "channels": ["room:1", "room:2"]});
    let (mut talk, _) = Talk::connected(&node, json!({"token": token(claims)})).await;
    let mut followed = vec![];
    for _ in 0..2 {
        followed.push(talk.wait_for("subscribed").await["channel"].clone());
    }
    followed.sort_by_key(Value::to_string);
    assert_eq!(followed, ["room:1", "room:2"]);
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let node = closed("");
    let claims = json!({"sub": "ann", "exp": in_seconds(1.2)});
    let (mut talk, _) = Talk::connected(&node, json!({"token": token(claims)})).await;
    let close = talk.closed().await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3007), &json!(true)));
}

#[tokio::test]
async fn a_subscription_ends_with_its_token() {
    let node = closed("");
    let (mut talk, _) =
        Talk::connected(&node, json!({"token": token(json!({"sub": "ann"}))})).await;
    let claims = json!({"channel": "a", "exp": in_seconds(1.2)});
    talk.ask("subscribe", json!([{"channel": "a", "token": token(claims)}])).await;
    let ended = talk.wait_for("unsubscribed").await;
    assert_eq!((&ended["channel"], &ended["code"]), (&json!("a"), &json!(1102)));
    assert_eq!(talk.so_far().await, Vec::<Value>::new(), "the connection goes on");
}

#[tokio::test]
async fn a_refreshed_token_keeps_connection_and_subscription() {
    let node = closed("");
    let short = in_seconds(1.5);
    let claims = json!({"sub": "ann", "exp": short});
    let (mut talk, _) = Talk::connected(&node, json!({"token": token(claims)})).await;
    let channel = json!({"channel": "a", "exp": short});
    talk.ask("subscribe", json!([{"channel": "a", "token": token(channel)}])).await;
    let other = json!({"token": token(json!({"sub": "bob"}))});
    assert_eq!(talk.refusal("refresh", other).await, 1104);
    let long = in_seconds(60.0).floor();
    let fresh = token(json!({"sub": "ann", "exp": long}));
    let refreshed = talk.ask("refresh", json!({"token": fresh})).await;
    assert_eq!(refreshed["refreshed"]["expires"], json!((long * 1_000.0) as u64));
    let fresh = token(json!({"channel": "a", "exp": long}));
    let refreshed = talk.ask("refresh", json!({"channel": "a", "token": fresh})).await;
    assert_eq!(refreshed["refreshed"]["channel"], "a");
    // Whoever was connected with a token as short as the old one is gone by now: the clock that
    // ends it is the one that would have ended this client.
    let witness = json!({"token": token(json!({"exp": short + 0.5}))});
    let (mut witness, _) = Talk::connected(&node, witness).await;
    assert_eq!(witness.closed().await["code"], 3007);
    let kinds = talk.so_far().await;
    assert!(kinds.iter().all(|event| event.get("grant").is_some()), "{kinds:?}");
}
