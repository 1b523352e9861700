//! What operators ask: alive, ready, counts; and the page.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::follower::Follower;
use crate::http::{Http, count};
use crate::link::Seen;
use crate::node::{PATIENCE, TestNode, soon};
use crate::route::Route;

#[tokio::test]
async fn a_node_is_alive_and_ready() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(http.get("/health").await.good(), json!({"status": "ok", "version": version}));
    assert_eq!(http.get("/ready").await.good(), json!({"status": "ready"}));
}

#[tokio::test]
async fn a_node_alone_is_the_only_one() {
    let node = TestNode::open(|_| {});
    let _follower = Follower::open(&node, Route::SocketJson, &["a"]).await;
    node.backend().publish("a", 1).await;
    let answer = Http::new(&node).get("/v1/nodes").await.good();
    let [this] = answer["nodes"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!((&this["this"], &this["listen"]), (&json!(true), &json!([node.address])));
    for of in [this, &answer["total"]] {
        let counts = (&of["sessions"], &of["connections"], &of["publications"]);
        assert_eq!(counts, (&json!(1), &json!(1), &json!(1)));
    }
}

#[tokio::test]
async fn a_stopping_node_is_not_ready() {
    let node = TestNode::open(|_| {});
    // Halves of requests, the others of which come when it has begun to stop; and a client that
    // does not read, for which it waits. Whichever request it still answers, the answer is no.
    let mut probes = Vec::new();
    for _ in 0..20 {
        let mut probe = TcpStream::connect(node.address).await.unwrap();
        probe.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        probes.push(probe);
    }
    let mut silent = Follower::open(&node, Route::SocketJson, &["a"]).await;
    node.backend().publish_large("a", 1, 400, 50_000).await;
    let mut watcher = Follower::open(&node, Route::SocketJson, &["b"]).await;
    let stopping = tokio::spawn(node.stop(PATIENCE));
    assert!(matches!(watcher.step().await, Seen::Close { code: 3000, .. }));
    let mut answers = Vec::new();
    for mut probe in probes {
        let mut answer = String::new();
        probe.write_all(b"\r\n").await.unwrap();
        soon("an answer", probe.read_to_string(&mut answer)).await.unwrap();
        answers.push(answer);
    }
    answers.retain(|answer| !answer.is_empty());
    assert!(!answers.is_empty(), "some were answered");
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\"code\":3000"), "{answer}");
    }
    silent.cut();
    watcher.cut();
    soon("the end", stopping).await.unwrap();
}

#[tokio::test]
async fn a_stopped_node_lets_go_of_its_port() {
    let node = TestNode::open(|_| {});
    let address = node.address;
    assert_eq!(soon("the end", node.stop(PATIENCE)).await, 0);
    let mut config = martlet_server::config::Config::development();
    config.options.server.listen = vec![address];
    let again = TestNode::of(&config.check().unwrap());
    Http::new(&again).get("/health").await.good();
}

#[tokio::test]
async fn what_happens_is_counted() {
    let node = TestNode::open(|_| {});
    let backend = node.backend();
    let mut followers = Vec::new();
    for route in [Route::SocketJson, Route::PlainOne, Route::StreamHttp2] {
        followers.push(Follower::open(&node, route, &["a"]).await);
    }
    backend.publish_all("a", 1, 10).await;
    for follower in &mut followers {
        follower.read_until("a", 10).await;
    }
    assert_eq!(count(&node, "martlet_connections").await, 3);
    assert_eq!(count(&node, "martlet_sessions").await, 3);
    assert_eq!(count(&node, "martlet_channels").await, 1);
    assert_eq!(count(&node, "martlet_clients_connected_total").await, 3);
    assert_eq!(count(&node, "martlet_publications_total").await, 10);
    assert!(count(&node, "martlet_sent_bytes_total").await > 1_000);
    assert_eq!(count(&node, "martlet_readers_lagged_total").await, 0);
    assert_eq!(count(&node, "martlet_log_bytes").await, 0, "everybody has everything");
    drop(followers);
    let gone = async {
        while count(&node, "martlet_connections").await > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the end of all connections", gone).await;
}

#[tokio::test]
async fn counts_are_text_that_prometheus_reads() {
    let node = TestNode::open(|_| {});
    let answer = Http::new(&node).get("/metrics").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once(' ').unwrap();
        assert!(name.starts_with("martlet_"), "{line}");
        value.parse::<f64>().unwrap();
        let family = name.split('{').next().unwrap().trim_end_matches("_total");
        assert!(text.contains(&format!("# HELP {family} ")), "{name} says what it counts");
    }
}

#[tokio::test]
async fn the_page_may_run_nothing_but_its_own_script() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let page = http.get("/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(http.get("/app.js").await.header("content-type").starts_with("text/javascript"));
    assert!(http.get("/style.css").await.header("content-type").starts_with("text/css"));
}
