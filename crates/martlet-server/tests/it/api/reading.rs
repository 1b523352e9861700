//! Histories, presence, and the list of channels.

use serde_json::{Value, json};

use super::node;
use crate::http::Http;
use crate::node::TestNode;
use crate::talk::Talk;

fn offsets(page: &Value) -> Vec<u64> {
    let all = page["publications"].as_array().unwrap().iter();
    all.map(|it| it["offset"].as_u64().unwrap()).collect()
}

async fn publish(http: &Http, channel: &str, count: usize) -> Value {
    let batch = vec![json!({"channel": channel, "data": 1}); count];
    http.post("/v1/batch", &json!({"publish": batch})).await.good()["results"].clone()
}

#[tokio::test]
async fn a_history_is_read_forward_page_by_page() {
    let (_node, http) = node();
    publish(&http, "a", 7).await;
    let (mut read, mut path) = (vec![], "/v1/channels/a/history?limit=3".to_owned());
    loop {
        let page = http.get(&path).await.good();
        assert_eq!((&page["channel"], &page["offset"]), (&json!("a"), &json!(7)));
        read.push(offsets(&page));
        if page["more"] == false {
            break;
        }
        let last = read.last().unwrap().last().unwrap();
        let cursor = format!("{last}.{}.a", page["epoch"].as_str().unwrap());
        path = format!("/v1/channels/a/history?limit=3&cursor={cursor}");
    }
    assert_eq!(read, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
}

#[tokio::test]
async fn a_history_is_read_backward_page_by_page() {
    let (_node, http) = node();
    publish(&http, "a", 7).await;
    let newest = http.get("/v1/channels/a/history?limit=3&reverse=true").await.good();
    assert_eq!((offsets(&newest), &newest["more"]), (vec![7, 6, 5], &json!(true)));
    let epoch = newest["epoch"].as_str().unwrap();
    let before = |offset: u64, limit: u64| {
        format!("/v1/channels/a/history?limit={limit}&reverse=true&cursor={offset}.{epoch}.a")
    };
    let older = http.get(&before(5, 3)).await.good();
    assert_eq!((offsets(&older), &older["more"]), (vec![4, 3, 2], &json!(true)));
    let oldest = http.get(&before(2, 3)).await.good();
    assert_eq!((offsets(&oldest), &oldest["more"]), (vec![1], &json!(false)));
    let none = http.get(&before(1, 3)).await.good();
    assert_eq!((offsets(&none), &none["more"]), (vec![], &json!(false)));
}

#[tokio::test]
async fn a_history_is_read_since_a_time() {
    let (_node, http) = node();
    let first = publish(&http, "a", 1).await[0]["time"].as_u64().unwrap();
    let mut offset = 1;
    let later = loop {
        offset += 1;
        let time = publish(&http, "a", 1).await[0]["time"].as_u64().unwrap();
        if time > first {
            break time;
        }
    };
    let page = http.get(&format!("/v1/channels/a/history?since={later}")).await.good();
    assert_eq!(offsets(&page), [offset]);
    let all = http.get("/v1/channels/a/history?since=1h").await.good();
    assert_eq!(offsets(&all).len() as u64, offset);
    let none = http.get(&format!("/v1/channels/a/history?since={}", later + 60_000)).await.good();
    assert_eq!((offsets(&none), &none["offset"]), (vec![], &json!(offset)));
}

#[tokio::test]
async fn a_history_says_its_position_and_what_cannot_be_read() {
    let (_node, http) = node();
    publish(&http, "a", 5).await;
    let position = http.get("/v1/channels/a/history?limit=0").await.good();
    assert_eq!((&position["offset"], offsets(&position)), (&json!(5), vec![]));
    let unused = http.get("/v1/channels/empty/history").await.good();
    assert_eq!((&unused["offset"], &unused["more"]), (&json!(0), &json!(false)));
    let cases = [
        ("/v1/channels/nowhere:a/history", (404, 1201)),
        ("/v1/channels/a%20b/history", (400, 1200)),
        ("/v1/channels/%ff/history", (400, 1200)),
        ("/v1/channels/a/history?limit=x", (400, 1001)),
        ("/v1/channels/a/history?limit=-1", (400, 1001)),
        ("/v1/channels/a/history?reverse=maybe", (400, 1001)),
        ("/v1/channels/a/history?cursor=x", (400, 1212)),
        ("/v1/channels/a/history?since=soon", (400, 1213)),
    ];
    for (path, expected) in cases {
        assert_eq!(http.get(path).await.refused(), expected, "{path}");
    }
}

#[tokio::test]
async fn names_of_channels_are_taken_as_they_are_written() {
    let (_node, http) = node();
    for (name, path) in [("ü/β?#&+", "%C3%BC%2F%CE%B2%3F%23%26%2B"), ("a.b~c", "a.b~c")] {
        publish(&http, name, 1).await;
        let page = http.get(&format!("/v1/channels/{path}/history")).await.good();
        assert_eq!((&page["channel"], offsets(&page)), (&json!(name), vec![1]));
    }
}

#[tokio::test]
async fn presence_counts_all_and_shows_a_page() {
    let node = TestNode::open(|options| options.limits.presence_page = 2);
    let http = Http::new(&node);
    let mut talks = vec![];
    for _ in 0..3 {
        let (mut talk, _) = Talk::connected(&node, json!({})).await;
        talk.ask("subscribe", json!([{"channel": "a"}])).await;
        talk.wait_for("join").await;
        talks.push(talk);
    }
    let presence = http.get("/v1/channels/a/presence").await.good();
    assert_eq!((&presence["channel"], &presence["count"]), (&json!("a"), &json!(3)));
    assert_eq!(presence["members"].as_array().unwrap().len(), 2);
    let nobody = http.get("/v1/channels/b/presence").await.good();
    assert_eq!(nobody, json!({"channel": "b", "members": [], "count": 0}));
    let (_node, http) = super::node();
    assert_eq!(http.get("/v1/channels/room:1/presence").await.refused(), (409, 1206));
    assert_eq!(http.get("/v1/channels/nowhere:1/presence").await.refused(), (404, 1201));
}

#[tokio::test]
async fn channels_are_listed_by_prefix_and_up_to_a_limit() {
    let (node, http) = node();
    let subscribe: Vec<_> =
        ["b", "room:2", "a", "room:1"].iter().map(|name| json!({"channel": name})).collect();
    let (mut talk, _) = Talk::connected(&node, json!({"subscribe": subscribe})).await;
    let (mut other, _) = Talk::connected(&node, json!({"subscribe": [{"channel": "a"}]})).await;
    for _ in 0..4 {
        talk.wait_for("subscribed").await;
    }
    other.wait_for("subscribed").await;
    publish(&http, "a", 2).await;
    publish(&http, "unread", 1).await;
    let names = |list: &Value| -> Vec<String> {
        let all = list["channels"].as_array().unwrap().iter();
        all.map(|it| it["channel"].as_str().unwrap().to_owned()).collect()
    };
    let all = http.get("/v1/channels").await.good();
    assert_eq!(names(&all), ["a", "b", "room:1", "room:2"]);
    let first = &all["channels"][0];
    assert_eq!((&first["subscribers"], &first["offset"]), (&json!(2), &json!(2)));
    assert_eq!(first["members"], 2);
    let rooms = http.get("/v1/channels?prefix=room:").await.good();
    assert_eq!(
        (names(&rooms), &rooms["more"]),
        (vec!["room:1".into(), "room:2".into()], &json!(false))
    );
    let two = http.get("/v1/channels?limit=2").await.good();
    assert_eq!((names(&two), &two["more"]), (vec!["a".into(), "b".into()], &json!(true)));
    let none = http.get("/v1/channels?prefix=zzz").await.good();
    assert_eq!(none, json!({"channels": [], "more": false}));
    assert_eq!(http.get("/v1/channels?limit=many").await.refused(), (400, 1001));
}
