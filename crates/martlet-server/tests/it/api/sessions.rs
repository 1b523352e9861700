//! What a backend does to its users' sessions.

use serde_json::{Value, json};

use crate::http::Http;
use crate::node::TestNode;
use crate::talk::{SECRET, Talk, token, worker_of};

fn node() -> (TestNode, Http) {
    let node = TestNode::configured(&format!(
        "[auth]\n[[auth.tokens]]\nsecret = \"{SECRET}\"\n[channels.default]\nhistory_size = 9\n\
         [[api.keys]]\nname = \"all\"\nscopes = [\"all\"]\nsha256 = \"{}\"\n",
        martlet_server::keys::KeyHash::of("key")
    ));
    let http = Http::new(&node).with_key("key");
    (node, http)
}

async fn ann(node: &TestNode) -> (Talk, Value) {
    Talk::connected(node, json!({"token": token(json!({"sub": "ann"}))})).await
}

#[tokio::test]
async fn a_user_is_made_to_follow_and_to_stop_on_all_its_connections() {
    let (node, http) = node();
    let (mut one, first) = ann(&node).await;
    let (mut two, second) = ann(&node).await;
    assert_ne!(worker_of(&first), worker_of(&second));
    let about = json!({"channel": "a", "user": "ann"});
    assert_eq!(http.post("/v1/subscribe", &about).await.good(), json!({"sessions": 2}));
    for talk in [&mut one, &mut two] {
        assert_eq!(talk.wait_for("subscribed").await["channel"], "a");
    }
    http.post("/v1/publish", &json!({"channel": "a", "data": 1})).await.good();
    for talk in [&mut one, &mut two] {
        assert_eq!(talk.wait_for("publication").await["offset"], 1);
    }
    assert_eq!(http.post("/v1/unsubscribe", &about).await.good(), json!({"sessions": 2}));
    for talk in [&mut one, &mut two] {
        let ended = talk.wait_for("unsubscribed").await;
        assert_eq!((&ended["channel"], &ended["code"]), (&json!("a"), &json!(1214)));
    }
    http.post("/v1/publish", &json!({"channel": "a", "data": 2})).await.good();
    for talk in [&mut one, &mut two] {
        let since = talk.so_far().await;
        assert!(since.iter().all(|event| event.get("publication").is_none()), "{since:?}");
    }
    assert_eq!(http.post("/v1/unsubscribe", &about).await.good(), json!({"sessions": 0}));
}

#[tokio::test]
async fn one_client_or_session_is_meant_alone() {
    let (node, http) = node();
    let (mut one, first) = ann(&node).await;
    let (mut two, second) = ann(&node).await;
    let by_client = json!({"channel": "a", "client": first["client"]});
    assert_eq!(http.post("/v1/subscribe", &by_client).await.good(), json!({"sessions": 1}));
    one.wait_for("subscribed").await;
    let by_session = json!({"channel": "b", "session": second["session"]});
    assert_eq!(http.post("/v1/subscribe", &by_session).await.good(), json!({"sessions": 1}));
    assert_eq!(two.wait_for("subscribed").await["channel"], "b");
    let whom = json!({"session": second["session"], "reason": "Enough."});
    assert_eq!(http.post("/v1/disconnect", &whom).await.good(), json!({"sessions": 1}));
    assert_eq!(two.closed().await["code"], 3502);
    let left = one.so_far().await;
    assert!(left.iter().all(|event| event.get("close").is_none()), "{left:?}");
}

#[tokio::test]
async fn nobody_is_found_where_nobody_is() {
    let (_node, http) = node();
    let nobody = json!({"sessions": 0});
    for whom in [json!({"user": "bob"}), json!({"client": "0000000000000"})] {
        let mut about = whom.clone();
        about["channel"] = json!("a");
        assert_eq!(http.post("/v1/subscribe", &about).await.good(), nobody);
        assert_eq!(http.post("/v1/unsubscribe", &about).await.good(), nobody);
        assert_eq!(http.post("/v1/disconnect", &whom).await.good(), nobody);
    }
}

#[tokio::test]
async fn what_names_nobody_is_refused() {
    let (_node, http) = node();
    for path in ["/v1/subscribe", "/v1/unsubscribe"] {
        let cases = [
            (json!({"channel": "a"}), 1001),
            (json!({"channel": "a", "user": "ann", "client": "0000000000000"}), 1001),
            (json!({"channel": "a", "user": ""}), 1001),
            (json!({"channel": "a", "client": "x"}), 1001),
            (json!({"user": "ann"}), 1200),
            (json!({"channel": "a b", "user": "ann"}), 1200),
            (json!({"channel": "a", "usr": "ann"}), 1001),
            (json!("ann"), 1001),
        ];
        for (body, code) in cases {
            assert_eq!(http.post(path, &body).await.refused(), (400, code), "{path} {body}");
        }
    }
    let long = json!({"user": "ann", "reason": "x".repeat(201)});
    assert_eq!(http.post("/v1/disconnect", &long).await.refused(), (400, 1001));
    let nobody = json!({"reason": "x"});
    assert_eq!(http.post("/v1/disconnect", &nobody).await.refused(), (400, 1001));
    let unknown = json!({"channel": "nowhere:a", "user": "ann"});
    assert_eq!(http.post("/v1/subscribe", &unknown).await.refused(), (404, 1201));
}
