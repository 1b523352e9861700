//! Publishing from several nodes at once: one order, and once each however often it is asked for.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::counter::{Backend, Counters};
use super::process::{have, until};
use super::reader::{Readers, Way};
use super::redis::Redis;
use super::verdict::Case;
use super::world::{KEY, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_on_all_nodes_make_one_order() {
    let title = "nine publishers on three nodes into one channel";
    if !have(&["redis-server", "redis-cli", "haproxy"], title) {
        return;
    }
    let redis = Redis::start(&[]);
    let world = World::start(&redis.address(), 3).await;
    let mut readers = Readers::at(world.front(), "order");
    for way in [Way::WebSocket, Way::Protobuf, Way::Stream] {
        // HAProxy deals them out to all three.
        (0..3).for_each(|_| readers.begin(way, false));
    }
    readers.begin(Way::WebSocket, true);
    readers.follow().await;
    let counters = Counters::start(&world.urls(), "order", 9, Duration::ZERO);
    counters.more(3_000).await;
    let accepted = counters.finish().await;
    readers.have(&accepted).await;
    let case = Case { title, accepted: &accepted, readers: &readers.notes };
    let verdict = case.judge();
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hears_no_answer_and_asks_another_node_publishes_once() {
    let title = "asked of one node without hearing its answer, then of another";
    if !have(&["redis-server", "redis-cli", "haproxy"], title) {
        return;
    }
    let redis = Redis::start(&[]);
    let world = World::start(&redis.address(), 2).await;
    let mut readers = Readers::at(world.front(), "once");
    [Way::WebSocket, Way::Stream].into_iter().for_each(|way| readers.begin(way, false));
    readers.follow().await;
    let backend = Backend::new(&world.urls(), "once");
    let mut accepted = Vec::new();
    for number in 1..=300 {
        let mut at = number as usize % 2;
        let unheard = ask_only(&world, at, number).await;
        at += 1;
        // Half the time the first request is done by then, else they meet in the store.
        let done = number % 2 == 0;
        until("it was published", async || !done || readers.notes[0].has(number)).await;
        accepted.push(backend.publish(number, &mut at).await);
        drop(unheard);
    }
    readers.have(&accepted).await;
    let repeated = accepted.iter().filter(|accepted| accepted.duplicate).count();
    Case { title, accepted: &accepted, readers: &readers.notes }.judge();
    eprintln!("{title}: {repeated} of them had been published by the first");
    assert!(repeated >= 150, "{repeated}");
    let newest = accepted.iter().map(|accepted| accepted.position.offset).max();
    assert_eq!(newest, Some(300), "each is published once");
}

/// Asks a node to publish a number, and does not listen.
async fn ask_only(world: &World, node: usize, number: u64) -> TcpStream {
    let key = format!("key-{number}");
    let body = json!({"channel": "once", "data": {"n": number}, "key": key}).to_string();
    let length = body.len();
    let head = format!(
        "POST /v1/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut socket = TcpStream::connect(world.nodes[node].address()).await.unwrap();
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    socket
}
