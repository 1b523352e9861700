//! Drains of nodes of a cluster: rolling restarts while clients of every kind read and others
//! publish, and what those are told who have to go.
//!
//! `MARTLET_ROLLING_RESTARTS=100 cargo test --release -p martlet --test it rolling::a_rolling --
//! --nocapture` restarts the cluster a hundred times.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::counter::Counters;
use super::http::{Ask, Held};
use super::process::{PATIENCE, have, until};
use super::reader::Readers;
use super::redis::Redis;
use super::verdict::Case;
use super::world::{KEY, Node, World};
use crate::program::MARTLET;

/// Quick, but with every stage. The proxy looks at health ten times a second.
const DRAIN: [&str; 3] = ["drain.wait=700ms", "drain.over=1s", "drain.force=5s"];

/// Publishers, and how often each publishes: 1,000 publications a second in all, and a little more
/// for the time that one takes to find another node.
const PUBLISHERS: usize = 25;
const PACE: Duration = Duration::from_millis(23);

fn restarts() -> usize {
    let asked = std::env::var("MARTLET_ROLLING_RESTARTS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_nothing() {
    let title = "rolling restart";
    if !have(&["redis-server", "redis-cli", "haproxy"], title) {
        return;
    }
    let redis = Redis::start(&[]);
    let mut world = World::with(&redis.address(), 3, &DRAIN).await;
    for run in 1..=restarts() {
        restart_all(&mut world, run).await;
    }
}

/// Restarts each node in turn while a channel of its own is read and published in.
async fn restart_all(world: &mut World, run: usize) {
    let channel = format!("birds-{run}");
    let readers = Readers::of_all_ways(world.front(), &channel).await;
    let counters = Counters::start(&world.urls(), &channel, PUBLISHERS, PACE);
    let begun = Instant::now();
    counters.more(200).await;
    for node in 0..world.nodes.len() {
        world.nodes[node].stop().await;
        world.nodes[node].begin();
        world.ready().await;
    }
    counters.more(200).await;
    let took = begun.elapsed();
    let accepted = counters.finish().await;
    readers.have(&accepted).await;
    let rate = accepted.len() as f64 / took.as_secs_f64();
    let title = format!("rolling restart {run}, {rate:.0} publications a second");
    let case = Case { title: &title, accepted: &accepted, readers: &readers.notes };
    let verdict = case.judge();
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
}

/// A stream of lines that follows a channel at this node.
async fn follow(node: &Node) -> Held {
    let ask = Ask::get("/v1/stream?channel=birds");
    let mut held = Held::open(node.address(), ask, PATIENCE).await.unwrap();
    assert_eq!(held.status, 200);
    let first = held.line().await.unwrap();
    assert!(first.is_some_and(|line| line.contains("cursor")), "it follows");
    held
}

/// What the stream is told at its end.
async fn told(mut held: Held) -> Value {
    while let Some(line) = held.line().await.unwrap() {
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(close) = event.get("close") {
            return close.clone();
        }
    }
    panic!("it ends without a word")
}

async fn stage(node: &Node) -> Value {
    let ask = Ask::get("/v1/drain").with(&[("X-API-Key", KEY)]);
    ask.json(node.address()).await.map_or(Value::Null, |(_, body)| body["stage"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_drained_node_are_told_when_and_where_to_come_back() {
    let title = "where drained clients go";
    if !have(&["redis-server", "redis-cli", "haproxy"], title) {
        return;
    }
    let redis = Redis::start(&[]);
    let address = "server.address=http://127.0.0.1:PORT";
    let world = World::with(&redis.address(), 2, &[address]).await;
    let others = format!("http://{}", world.nodes[1].address());
    until("the nodes know each other", async || {
        let ask = Ask::get("/v1/nodes").with(&[("X-API-Key", KEY)]);
        let nodes = ask.json(world.nodes[0].address()).await.unwrap_or_default().1;
        nodes["nodes"].as_array().is_some_and(|nodes| {
            nodes.len() == 2 && nodes.iter().all(|node| node["address"].is_string())
        })
    })
    .await;
    let held = follow(&world.nodes[0]).await;

    let mut command = Command::new(MARTLET);
    command.args(["drain", "--url", &world.nodes[0].url(), "--api-key", KEY]);
    command.args(["--wait", "300ms", "--over", "600ms"]);
    let drained = tokio::task::spawn_blocking(move || command.output().unwrap());
    let close = told(held).await;
    assert_eq!((&close["code"], &close["node"]), (&json!(3000), &json!(others)), "{close}");
    assert!(close["after"].as_u64().is_some_and(|after| after <= 101), "{close}");
    let said = drained.await.unwrap();
    let said = (said.status.success(), String::from_utf8(said.stdout).unwrap());
    assert!(said.0 && said.1.starts_with("waiting: 1 of 1 clients"), "{said:?}");
    assert!(said.1.ends_with("stopped\n"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_stops_a_drain_at_once_and_not_the_first_after_the_api() {
    let title = "signals during a drain";
    if !have(&["redis-server", "redis-cli", "haproxy"], title) {
        return;
    }
    let redis = Redis::start(&[]);
    let ages = ["drain.wait=0s", "drain.over=1h"];
    let mut world = World::with(&redis.address(), 3, &ages).await;
    let _held = follow(&world.nodes[0]).await;
    world.nodes[0].process().terminate();
    until("it lets its clients go", async || stage(&world.nodes[0]).await == "letting_go").await;
    world.nodes[0].stop().await;

    let _held = follow(&world.nodes[1]).await;
    let ask = Ask::post("/v1/drain", "{}").with(&[("X-API-Key", KEY)]);
    assert_eq!(ask.json(world.nodes[1].address()).await.unwrap().0, 200);
    until("it lets its clients go", async || stage(&world.nodes[1]).await == "letting_go").await;
    world.nodes[1].process().terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stage(&world.nodes[1]).await, "letting_go", "the signal joins the drain");
    world.nodes[1].stop().await;
}
