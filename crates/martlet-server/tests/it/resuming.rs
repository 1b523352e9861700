//! Coming back with a grant: the same client, on whatever worker, without a token; and grants
//! that are good no more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::http::Http;
use crate::node::TestNode;
use crate::talk::{SECRET, Talk, token, worker_of};

const GRANT_SECRET: &str = "a secret that all nodes of these tests share";

fn node() -> TestNode {
    TestNode::configured(&format!(
        "[auth]\nanonymous = false\n[[auth.tokens]]\nsecret = \"{SECRET}\"\n\
         [grant]\nsecret = \"{GRANT_SECRET}\"\n\
         [[api.keys]]\nname = \"all\"\nscopes = [\"all\"]\nsha256 = \"{}\"\n\
         [channels.default]\nsubscribe = \"granted\"\n",
        martlet_server::keys::KeyHash::of("key")
    ))
}

async fn ann(node: &TestNode) -> (Talk, Value) {
    let claims = json!({"sub": "ann", "permissions": {"a": ["subscribe", "publish"]}});
    Talk::connected(node, json!({"token": token(claims)})).await
}

fn back(connected: &Value) -> Value {
    json!({"grant": connected["grant"], "session": connected["session"]})
}

#[tokio::test]
async fn a_grant_resumes_on_every_worker() {
    let node = node();
    let (talk, first) = ann(&node).await;
    drop(talk);
    let (mut last, mut workers) = (first.clone(), BTreeSet::from([worker_of(&first)]));
    for _ in 0..4 {
        let (mut talk, connected) = Talk::connected(&node, back(&last)).await;
        assert_eq!((&connected["resumed"], &connected["user"]), (&json!(true), &json!("ann")));
        assert_eq!(connected["client"], first["client"], "it is the same client");
        assert_ne!(connected["session"], last["session"]);
        let followed = talk.ask("subscribe", json!([{"channel": "a"}])).await;
        assert!(followed["subscribed"].is_object(), "permissions came along: {followed}");
        workers.insert(worker_of(&connected));
        last = connected;
    }
    assert_eq!(workers.len(), 2, "it was on both workers");
}

#[tokio::test]
async fn the_older_connection_of_a_resumed_session_is_replaced() {
    let node = node();
    let (mut old, mut connected) = ann(&node).await;
    for _ in 0..3 {
        let (new, again) = Talk::connected(&node, back(&connected)).await;
        let close = old.closed().await;
        assert_eq!((&close["code"], &close["reconnect"]), (&json!(3004), &json!(true)));
        (old, connected) = (new, again);
    }
}

#[tokio::test]
async fn a_grant_is_good_on_another_node_of_the_same_secret() {
    let (here, there) = (node(), node());
    let (_talk, connected) = ann(&here).await;
    let (_talk, again) = Talk::connected(&there, back(&connected)).await;
    assert_eq!(again["client"], connected["client"]);
    let stranger = TestNode::configured(&format!(
        "[auth]\nanonymous = false\n[[auth.tokens]]\nsecret = \"{SECRET}\"\n"
    ));
    let mut talk = Talk::open(&stranger).await;
    assert_eq!(talk.refusal("connect", back(&connected)).await, 1105);
}

#[tokio::test]
async fn an_altered_grant_is_none() {
    let node = node();
    let (_talk, connected) = ann(&node).await;
    let grant = connected["grant"].as_str().unwrap();
    for place in [3, grant.len() / 2, grant.len() - 2] {
        let mut altered = grant.to_owned().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let mut talk = Talk::open(&node).await;
        assert_eq!(talk.refusal("connect", json!({"grant": altered})).await, 1105, "{place}");
        assert_eq!(talk.closed().await["code"], 3501);
    }
}

#[tokio::test]
async fn a_grant_ends_in_time() {
    let node = TestNode::configured("[grant]\nlifetime = \"1s\"\n");
    let (_talk, connected) = Talk::connected(&node, json!({})).await;
    let code = loop {
        let mut talk = Talk::open(&node).await;
        let answer = talk.ask("connect", back(&connected)).await;
        if let Some(code) = answer["error"]["code"].as_u64() {
            break code;
        }
    };
    assert_eq!(code, 1106);
}

#[tokio::test]
async fn who_was_disconnected_for_good_needs_a_new_token() {
    let node = node();
    let api = Http::new(&node).with_key("key");
    let (mut one, connected) = ann(&node).await;
    let (mut other, _) = ann(&node).await;
    let answer = api.post("/v1/disconnect", &json!({"user": "ann", "reason": "Bye."})).await;
    assert_eq!(answer.good(), json!({"sessions": 2}), "on both workers");
    for talk in [&mut one, &mut other] {
        let close = talk.closed().await;
        assert_eq!((&close["code"], &close["reconnect"]), (&json!(3502), &json!(false)));
        assert!(close["message"].as_str().unwrap().contains("Bye."));
    }
    let mut talk = Talk::open(&node).await;
    assert_eq!(talk.refusal("connect", back(&connected)).await, 1105);
    ann(&node).await;
}

#[tokio::test]
async fn who_is_asked_to_come_back_does_so_with_its_grant() {
    let node = node();
    let api = Http::new(&node).with_key("key");
    let (mut talk, connected) = ann(&node).await;
    let whom = json!({"client": connected["client"], "reconnect": true});
    assert_eq!(api.post("/v1/disconnect", &whom).await.good(), json!({"sessions": 1}));
    let close = talk.closed().await;
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3008), &json!(true)));
    let (_talk, again) = Talk::connected(&node, back(&connected)).await;
    assert_eq!(again["client"], connected["client"]);
}
