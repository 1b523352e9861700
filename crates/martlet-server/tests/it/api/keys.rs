//! Keys of the API and what they are good for.

use martlet_server::keys::KeyHash;
use serde_json::json;

use super::published;
use crate::http::{Ask, Http};
use crate::node::TestNode;

#[tokio::test]
async fn a_key_is_good_for_its_scopes() {
    let key = |name: &str| {
        let hash = KeyHash::of(name);
        format!("[[api.keys]]\nname = \"{name}\"\nscopes = [\"{name}\"]\nsha256 = \"{hash}\"\n")
    };
    let keys = ["publish", "read", "sessions"].map(key).concat();
    let node = TestNode::configured(&format!("{keys}[channels.default]\nhistory_size = 10\n"));
    let http = Http::new(&node);
    let asks = [
        ("publish", Ask::post("/v1/publish", published("a", json!(1)).to_string())),
        ("publish", Ask::post("/v1/broadcast", r#"{"channels":["a"],"data":1}"#)),
        ("publish", Ask::post("/v1/batch", r#"{"publish":[{"channel":"a","data":1}]}"#)),
        ("read", Ask::get("/v1/channels")),
        ("read", Ask::get("/v1/channels/a/history")),
        ("sessions", Ask::post("/v1/subscribe", r#"{"channel":"a","user":"ann"}"#)),
        ("sessions", Ask::post("/v1/unsubscribe", r#"{"channel":"a","user":"ann"}"#)),
        ("sessions", Ask::post("/v1/disconnect", r#"{"user":"ann"}"#)),
    ];
    for (scope, ask) in asks {
        let without = http.ask(ask.clone()).await;
        assert_eq!(without.refused(), (401, 1107), "{ask:?}");
        assert_eq!(without.header("www-authenticate"), "Bearer");
        let wrong = ask.clone().with("x-api-key", "wrong");
        assert_eq!(http.ask(wrong).await.refused(), (401, 1107));
        for key in ["publish", "read", "sessions"] {
            let answer = http.with_key(key).ask(ask.clone()).await;
            match key == scope {
                true => assert_eq!(answer.status, 200, "{key}: {ask:?}: {answer:?}"),
                false => assert_eq!(answer.refused(), (403, 1108), "{key}: {ask:?}"),
            }
        }
        http.ask(ask.with("x-api-key", scope)).await.good();
    }
}

#[tokio::test]
async fn without_any_configured_key_nothing_is_taken() {
    let node = TestNode::configured("[channels.default]\nhistory_size = 10\n");
    let answer = Http::new(&node).post("/v1/publish", &published("a", json!(1))).await;
    assert_eq!(answer.refused(), (401, 1107));
}

#[tokio::test]
async fn in_development_no_key_is_needed() {
    let node = TestNode::open(|_| {});
    Http::new(&node).post("/v1/publish", &published("a", json!(1))).await.good();
}
