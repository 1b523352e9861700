//! A node that others stand in for: it says so, sends newcomers to them, and lets its clients go
//! evenly, each in the words of its transport.

use std::time::Duration;

use martlet_server::config::Elsewhere;
use martlet_server::drain::Plan;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::follower::Follower;
use crate::http::{Http, count};
use crate::link::{End, Seen};
use crate::node::{PATIENCE, TestNode, soon};
use crate::route::Route;
use crate::talk::Talk;

/// Longer than any test.
const AGES: Duration = Duration::from_secs(3_600);

fn plan(wait: Duration, over: Duration) -> Plan {
    Plan { wait, over, elsewhere: Elsewhere::Always, ..Plan::at_once(PATIENCE) }
}

/// Begins a drain, and waits until the node is in `stage`. What the node was is left behind.
async fn drained(node: TestNode, plan: Plan, stage: &str) -> TestNode {
    let seen = node.remembered();
    tokio::spawn(node.drain(plan));
    while Http::new(&seen).get("/v1/drain").await.good()["stage"] != stage {
        tokio::task::yield_now().await;
    }
    seen
}

/// What is answered to a request on a connection of its own.
async fn answer(node: &TestNode, path: &str, fields: &str) -> String {
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    soon("the end", socket.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn while_it_waits_its_clients_stay_and_newcomers_are_sent_away() {
    let node = TestNode::open(|_| {});
    let mut stays = Follower::open(&node, Route::SocketJson, &["a"]).await;
    let node = drained(node, plan(AGES, AGES), "waiting").await;
    let http = Http::new(&node);
    assert_eq!(http.get("/ready").await.refused(), (503, 3000));
    let progress = json!({"stage": "waiting", "began_with": 1, "connections": 1, "let_go": 0});
    assert_eq!(http.get("/v1/drain").await.good(), progress);
    assert_eq!(http.get("/v1/nodes").await.good()["nodes"][0]["draining"], json!(true));
    assert_eq!(count(&node, "martlet_draining").await, 1);

    node.backend().publish("a", 1).await;
    stays.read_until("a", 1).await;
    let comes = Talk::open(&node).await.closed().await;
    assert_eq!((&comes["code"], &comes["reconnect"]), (&json!(3000), &json!(true)));
    assert!((250..=1_250).contains(&comes["after"].as_u64().unwrap()), "{comes}");
    let looks_in = http.get("/v1/poll?channel=a&wait=0").await;
    assert_eq!(looks_in.status, 200, "who only asks is answered: {looks_in:?}");
    let asks = http.get("/v1/drain").await;
    assert_eq!(asks.header("connection"), "close", "the next request goes elsewhere");
}

/// Whatever is not 200 would keep an `EventSource` away for ever.
#[tokio::test]
async fn an_event_source_is_told_to_come_back_in_the_only_way_it_knows() {
    let node = drained(TestNode::open(|_| {}), plan(AGES, AGES), "waiting").await;
    let told = answer(&node, "/v1/sse?channel=a", "Accept: text/event-stream\r\n").await;
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
    assert!(told.contains("\r\ncontent-type: text/event-stream"), "{told}");
    let retry = told.split("retry: ").nth(1).and_then(|rest| rest.split('\n').next()).unwrap();
    assert!((500..=1_500).contains(&retry.parse::<u64>().unwrap()), "{told}");
    assert!(told.contains("event: close\ndata: {\"code\":3000,"), "{told}");
    // A program that can read a status gets one.
    let told = answer(&node, "/v1/sse?channel=a", "").await;
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    assert!(told.contains("\r\nretry-after: "), "{told}");
}

/// What will not pass is no reason to come back.
#[tokio::test]
async fn an_event_source_that_may_not_follow_is_told_by_a_status() {
    let node = TestNode::configured("[channels.default]\nsubscribe = \"backend\"\n");
    let told = answer(&node, "/v1/sse?channel=a", "Accept: text/event-stream\r\n").await;
    assert!(told.starts_with("HTTP/1.1 403 "), "{told}");
}

#[tokio::test]
async fn clients_go_one_after_the_other_and_are_soon_expected_back() {
    let node = TestNode::open(|_| {});
    let mut followers = Vec::new();
    for _ in 0..30 {
        followers.push(Follower::open(&node, Route::SocketJson, &["a"]).await);
    }
    let seen = node.remembered();
    let drain = tokio::spawn(node.drain(plan(Duration::ZERO, Duration::from_secs(3))));
    let ends = followers.into_iter().map(|mut follower| async move {
        let Seen::Close { code: 3000, reconnect: true, after: Some(after) } = follower.step().await
        else {
            panic!("it is told to come back")
        };
        assert!(after <= 102, "the pace is the server's: {after}");
        assert_eq!(follower.step().await, Seen::Ended(End::Closed(3000)));
        tokio::time::Instant::now()
    });
    let mut ends = futures_util::future::join_all(ends).await;
    ends.sort();
    let (first, last) = (ends[0], ends[29]);
    assert!(last - first > Duration::from_secs(1), "they do not go at once: {:?}", last - first);
    assert_eq!(soon("the end", drain).await.unwrap(), 0);
    assert!(TcpStream::connect(seen.address).await.is_err(), "it listens no more");
}

#[tokio::test]
async fn every_route_is_told_in_its_own_words() {
    let node = TestNode::open(|_| {});
    let mut followers = Vec::new();
    for route in Route::ALL.into_iter().filter(|route| !route.forgotten()) {
        followers.push(Follower::open(&node, route, &["a", "b"]).await);
    }
    node.backend().publish_all("a", 1, 20).await;
    let drain = tokio::spawn(node.drain(plan(Duration::ZERO, Duration::from_millis(800))));
    let told = followers.into_iter().map(|mut follower| async move {
        let route = follower.route;
        follower.read_until("a", 20).await;
        let seen = follower.step().await;
        assert!(
            matches!(seen, Seen::Close { code: 3000, after: Some(_), .. }),
            "{route:?} {seen:?}"
        );
        let expected = if route.socket() { End::Closed(3000) } else { End::Whole };
        assert_eq!(follower.step().await, Seen::Ended(expected), "{route:?}");
    });
    futures_util::future::join_all(told).await;
    assert_eq!(soon("the end", drain).await.unwrap(), 0);
}

/// A load balancer that speaks HTTP/2 puts nothing new on a connection that was told to go away;
/// what is on it goes on.
#[tokio::test]
async fn a_connection_of_http2_is_told_to_go_away() {
    let node = TestNode::open(|_| {});
    let socket = TcpStream::connect(node.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    let mut connection = tokio::spawn(connection);
    let get = |path: &str| {
        let address = format!("http://{}{path}", node.address);
        http::Request::builder().uri(address).body(()).unwrap()
    };
    let (stream, _) = client.send_request(get("/v1/sse?channel=a"), true).unwrap();
    let mut stream = soon("a stream", stream).await.unwrap().into_body();
    let node = drained(node, plan(Duration::ZERO, AGES), "letting_go").await;
    // New requests are refused as soon as the client has heard of it.
    while client.clone().ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    node.backend().publish("a", 1).await;
    let mut text = String::new();
    while !text.contains("\"n\":1") {
        let bytes = soon("more of the stream", stream.data()).await.unwrap().unwrap();
        let _ = stream.flow_control().release_capacity(bytes.len());
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    drop(stream);
    let ended = soon("the end of the connection", &mut connection).await.unwrap();
    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn the_api_begins_a_drain_and_says_how() {
    let node = TestNode::open(|options| options.drain.elsewhere = Elsewhere::Always);
    let http = Http::new(&node);
    for wrong in [json!({"over": "soon"}), json!({"over": 5}), json!({"how": "5s"})] {
        assert_eq!(http.post("/v1/drain", &wrong).await.refused(), (400, 1001), "{wrong}");
    }
    http.post("/v1/drain", &json!({"wait": "7s", "over": "2m"})).await.good();
    http.post("/v1/drain", &json!({"wait": "8s"})).await.good();
    let asked = soon("the plan", node.node().asked_to_drain()).await;
    let expected = (Duration::from_secs(7), Duration::from_secs(120), Duration::from_secs(10));
    assert_eq!((asked.wait, asked.over, asked.force), expected, "the first says how");
    assert_eq!(asked.elsewhere, Elsewhere::Always);
}

#[tokio::test]
async fn only_a_key_for_everything_drains() {
    let key = "a key of the backend that is long";
    let hash = martlet_server::keys::KeyHash::of(key);
    let keys =
        format!("[[api.keys]]\nname = \"reader\"\nsha256 = \"{hash}\"\nscopes = [\"read\"]\n");
    let node = TestNode::configured(&keys);
    let http = Http::new(&node).with_key(key);
    assert_eq!(http.post("/v1/drain", &json!({})).await.refused(), (403, 1108));
    assert_eq!(http.get("/v1/drain").await.good()["stage"], json!("serving"));
    assert_eq!(Http::new(&node).get("/v1/drain").await.refused(), (401, 1107));
}
