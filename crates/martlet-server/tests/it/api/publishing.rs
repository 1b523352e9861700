//! Publish, broadcast and batch.

use serde_json::{Value, json};

use super::{node, published};
use crate::http::Ask;
use crate::talk::Talk;

#[tokio::test]
async fn a_publication_comes_as_it_was_given() {
    let (node, http) = node();
    let (mut talk, _) = Talk::connected(&node, json!({"subscribe": [{"channel": "a"}]})).await;
    talk.wait_for("subscribed").await;
    let given = json!({
        "channel": "a", "data": {"x": [1, null, "ü\n"]}, "name": "score", "ref": "m-1",
        "tags": {"lang": "en"},
    });
    let receipt = http.post("/v1/publish", &given).await.good();
    let came = talk.wait_for("publication").await;
    for field in ["channel", "data", "name", "ref", "tags"] {
        assert_eq!(came[field], given[field], "{field}");
    }
    for field in ["channel", "id", "epoch", "offset", "time"] {
        assert_eq!(came[field], receipt[field], "{field}");
    }
    assert!(came.get("from").is_none(), "a backend is nobody's client");
    http.post("/v1/publish", &json!({"channel": "a", "bytes": "AP8="})).await.good();
    assert_eq!(talk.wait_for("publication").await["bytes"], "AP8=");
    http.post("/v1/publish", &published("a", Value::Null)).await.good();
    assert_eq!(talk.wait_for("publication").await.get("data"), Some(&Value::Null));
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_by_its_code() {
    let (_node, http) = node();
    let long = "x".repeat(129);
    let tags: serde_json::Map<_, _> = (0..17).map(|n| (format!("t{n}"), json!("v"))).collect();
    let cases = [
        (json!({"data": 1}), (400, 1001)),
        (json!([1]), (400, 1001)),
        (json!({"channel": 1, "data": 1}), (400, 1001)),
        (published("", json!(1)), (400, 1200)),
        (published("a b", json!(1)), (400, 1200)),
        (published(&"c".repeat(256), json!(1)), (400, 1200)),
        (published("nowhere:a", json!(1)), (404, 1201)),
        (json!({"channel": "a"}), (400, 1301)),
        (json!({"channel": "a", "data": 1, "bytes": "AA=="}), (400, 1301)),
        (json!({"channel": "a", "bytes": "not base64"}), (400, 1301)),
        (published("a", json!("x".repeat(1_000))), (413, 1300)),
        (json!({"channel": "a", "data": 1, "name": long}), (400, 1302)),
        (json!({"channel": "a", "data": 1, "ref": "a\u{0}"}), (400, 1302)),
        (json!({"channel": "a", "data": 1, "key": ""}), (400, 1302)),
        (json!({"channel": "a", "data": 1, "tags": tags}), (400, 1303)),
    ];
    for (body, expected) in cases {
        assert_eq!(http.post("/v1/publish", &body).await.refused(), expected, "{body}");
    }
    for text in ["", "{", "nonsense", "{\"channel\":\"a\",\"data\":1}x", "\u{feff}{}"] {
        let answer = http.ask(Ask::post("/v1/publish", text)).await;
        assert_eq!(answer.refused(), (400, 1001), "{text:?}");
    }
    let bad_key = Ask::post("/v1/publish", published("a", json!(1)).to_string());
    let bad_key = bad_key.with("idempotency-key", "x".repeat(200));
    assert_eq!(http.ask(bad_key).await.refused(), (400, 1302));
    let history = http.get("/v1/channels/a/history").await.good();
    assert_eq!(history["offset"], 0, "nothing of it was published");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let (_node, http) = node();
    let huge = vec![b' '; 100_000];
    for path in ["/v1/publish", "/v1/broadcast", "/v1/batch", "/v1/subscribe", "/v1/send"] {
        let answer = http.ask(Ask::post(path, huge.clone())).await;
        assert_eq!(answer.refused(), (413, 1005), "{path}");
    }
}

#[tokio::test]
async fn a_broadcast_reaches_each_channel_or_says_why_not() {
    let (node, http) = node();
    let subscribe = json!({"subscribe": [{"channel": "a"}, {"channel": "room:1"}]});
    let (mut talk, _) = Talk::connected(&node, subscribe).await;
    talk.wait_for("subscribed").await;
    talk.wait_for("subscribed").await;
    let channels = ["a", "nowhere:1", "b c", "room:1"];
    let body = json!({"channels": channels, "data": "hello", "key": "once"});
    let answer = http.post("/v1/broadcast", &body).await.good();
    let results = answer["results"].as_array().unwrap();
    let told: Vec<_> = results.iter().map(|r| (&r["channel"], &r["error"]["code"])).collect();
    let null = Value::Null;
    let (a, room) = (json!("a"), json!("room:1"));
    let expected = [(&a, &null), (&null, &json!(1201)), (&null, &json!(1200)), (&room, &null)];
    assert_eq!(told, expected);
    let mut came = vec![];
    for _ in 0..2 {
        came.push(talk.wait_for("publication").await["channel"].clone());
    }
    came.sort_by_key(Value::to_string);
    assert_eq!(came, [a, room]);

    let again = http.post("/v1/broadcast", &body).await.good();
    assert_eq!(again["results"][0]["duplicate"], true, "each channel knows the key");
    assert_eq!(again["results"][3]["duplicate"], true);
    let none = http.post("/v1/broadcast", &json!({"channels": [], "data": 1})).await.good();
    assert_eq!(none, json!({"results": []}));
    let many: Vec<_> = (0..1_001).map(|n| format!("c{n}")).collect();
    let cases = [
        (json!({"channels": many, "data": 1}), (413, 1305)),
        (json!({"channels": ["a"]}), (400, 1301)),
        (json!({"channels": "a", "data": 1}), (400, 1001)),
        (json!({"data": 1}), (400, 1001)),
        (json!({"channels": ["a"], "data": "x".repeat(1_001)}), (413, 1300)),
    ];
    for (body, expected) in cases {
        assert_eq!(http.post("/v1/broadcast", &body).await.refused(), expected);
    }
}

#[tokio::test]
async fn a_batch_is_done_in_order_and_each_by_itself() {
    let (_node, http) = node();
    let batch: Vec<_> = (0..60).map(|n| published(["a", "room:1"][n % 2], json!(n))).collect();
    let answer = http.post("/v1/batch", &json!({"publish": batch})).await.good();
    for (n, result) in answer["results"].as_array().unwrap().iter().enumerate() {
        assert_eq!(result["offset"], n as u64 / 2 + 1);
    }
    let history = http.get("/v1/channels/room:1/history").await.good();
    let data = history["publications"].as_array().unwrap().iter().map(|it| it["data"].clone());
    assert_eq!(data.collect::<Vec<_>>(), (0..30).map(|n| json!(2 * n + 1)).collect::<Vec<_>>());

    let mixed = json!({"publish": [published("b", json!(1)), {"channel": "b"}, 7, published("nowhere:1", json!(1))]});
    let answer = http.post("/v1/batch", &mixed).await.good();
    let codes = answer["results"].as_array().unwrap().iter().map(|r| r["error"]["code"].as_u64());
    assert_eq!(codes.collect::<Vec<_>>(), [None, Some(1301), Some(1001), Some(1201)]);
    let many = vec![published("c", json!(1)); 1_001];
    let cases = [
        (json!({"publish": many}), (413, 1305)),
        (json!({"publish": {}}), (400, 1001)),
        (json!({}), (400, 1001)),
    ];
    for (body, expected) in cases {
        assert_eq!(http.post("/v1/batch", &body).await.refused(), expected);
    }
    let none = http.get("/v1/channels/c/history").await.good();
    assert_eq!(none["offset"], 0);
}

#[tokio::test]
async fn a_batch_may_come_line_by_line() {
    let (_node, http) = node();
    let lines =
        "{\"channel\":\"a\",\"data\":1}\n\n{\"channel\":\"a\",\r\n{\"channel\":\"a\",\"data\":2}";
    let ask =
        |body: Vec<u8>| Ask::post("/v1/batch", body).with("content-type", "application/x-ndjson");
    let answer = http.ask(ask(lines.into())).await.good();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 3, "an empty line is none: {answer}");
    assert_eq!((&results[0]["offset"], &results[2]["offset"]), (&json!(1), &json!(2)));
    assert_eq!(results[1]["error"]["code"], 1001);
    let many = "{\"channel\":\"c\",\"data\":1}\n".repeat(1_001);
    assert_eq!(http.ask(ask(many.into())).await.refused(), (413, 1305));
}
