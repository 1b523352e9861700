//! One successor after the other, and nobody is dropped: not a publication, not a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use martlet_client::{Client, Message, Options};

use super::house::{House, runs};
use crate::cluster::counter::Counters;
use crate::cluster::http::{Ask, Held};
use crate::cluster::process::{PATIENCE, have, until};
use crate::cluster::reader::Readers;
use crate::cluster::redis::Redis;
use crate::cluster::verdict::Case;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_reads_on_through_three_successors() {
    let title = "three successors, one after the other, in memory";
    let mut house = House::open();
    let readers = Readers::of_all_ways(house.address(), "roll").await;
    let pace = Duration::from_millis(5);
    let counters = Counters::start(&[house.url()], "roll", 2, pace);
    counters.more(100).await;
    for _ in 0..3 {
        let before = house.serving();
        house.hand_over().await;
        counters.more(100).await;
        until("the node before has gone", async || !runs(before)).await;
    }
    let accepted = counters.finish().await;
    readers.have(&accepted).await;
    let verdict = Case { title, accepted: &accepted, readers: &readers.notes }.judge();
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
    let epochs: std::collections::HashSet<_> =
        accepted.iter().map(|accepted| accepted.position.epoch).collect();
    assert_eq!(epochs.len(), 1, "it is one history");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_when_to_come_back() {
    let mut house = House::open();
    let path = "/v1/stream?channel=told";
    let mut held = Held::open(house.address(), Ask::get(path), PATIENCE).await.unwrap();
    house.publish("told", "1").await;
    while !held.line().await.unwrap().unwrap().contains("\"publication\"") {}
    house.hand_over().await;
    let close = loop {
        let line = held.line().await.unwrap().expect("the close comes first");
        let told: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if told.get("close").is_some() {
            break told["close"].clone();
        }
    };
    assert_eq!((close["code"].as_u64(), close["reconnect"].as_bool()), (Some(3000), Some(true)));
    assert!(close["after"].as_u64().is_some_and(|after| after < 10_000), "{close}");
}

/// With a cluster's engine there is nothing to hand over but the sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_reads_on_with_redis() {
    let title = "a successor, with Redis";
    if !have(&["redis-server", "redis-cli"], title) {
        return;
    }
    let redis = Redis::start(&[]);
    let mut house = House::open_with(|command, _| {
        command.args(["--engine", &redis.address()]);
    });
    let readers = Readers::of_all_ways(house.address(), "roll").await;
    let counters = Counters::start(&[house.url()], "roll", 2, Duration::from_millis(5));
    counters.more(100).await;
    house.hand_over().await;
    counters.more(100).await;
    let accepted = counters.finish().await;
    readers.have(&accepted).await;
    let verdict = Case { title, accepted: &accepted, readers: &readers.notes }.judge();
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
}

/// A client is not even told: what is not answered it asks again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_publishes_on_without_an_error() {
    let mut house = House::open();
    let client = Client::connect(&house.url(), Options::default()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let publishing = tokio::spawn({
        let stop = stop.clone();
        async move {
            let mut offsets = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let message = Message::raw_json("1").unwrap();
                offsets.push(client.publish("own", message).await.unwrap().position.offset);
            }
            offsets
        }
    });
    for _ in 0..2 {
        house.hand_over().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let offsets = publishing.await.unwrap();
    assert!(offsets.iter().copied().eq(1..=offsets.len() as u64), "each once: {offsets:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_is_refused_or_reset_at_any_time() {
    let mut house = House::open();
    let (stop, visits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let visiting: Vec<_> = (0..2)
        .map(|_| {
            let (stop, visits, at) = (stop.clone(), visits.clone(), house.address());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    visit(at).unwrap_or_else(|error| panic!("{visits:?}: {error}"));
                    visits.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..5 {
        house.hand_over().await;
        let before = visits.load(Ordering::Relaxed);
        let more = async || visits.load(Ordering::Relaxed) > before + 10;
        until("more are answered", more).await;
    }
    stop.store(true, Ordering::Relaxed);
    visiting.into_iter().for_each(|visiting| visiting.join().unwrap());
    eprintln!("five successors, and {visits:?} connections meanwhile: each was answered");
}

/// Connects, asks and hears the whole answer.
fn visit(at: SocketAddr) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(at)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    match answer.contains("\"status\":\"ok\"") {
        true => Ok(()),
        false => Err(std::io::Error::other(format!("half an answer: {answer:?}"))),
    }
}
