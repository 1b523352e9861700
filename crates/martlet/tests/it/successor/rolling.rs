//! One successor after the other, and nobody is dropped: not a publication, not a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use martlet_client::{Client, Message, Options};

use super::house::{House, runs};
use crate::cluster::counter::Counters;
use crate::cluster::process::{have, until};
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
    let stop = Arc::new(AtomicBool::new(false));
    let visiting: Vec<_> = (0..2)
        .map(|_| {
            let (stop, at) = (stop.clone(), house.address());
            std::thread::spawn(move || {
                let mut visits = 0;
                while !stop.load(Ordering::Relaxed) {
                    visit(at).unwrap_or_else(|error| panic!("visit {visits}: {error}"));
                    visits += 1;
                }
                visits
            })
        })
        .collect();
    for _ in 0..5 {
        house.hand_over().await;
    }
    stop.store(true, Ordering::Relaxed);
    let visits: Vec<usize> = visiting.into_iter().map(|v| v.join().unwrap()).collect();
    eprintln!("five successors, and {visits:?} connections meanwhile: each was answered");
    assert!(visits.iter().all(|visits| *visits > 5), "{visits:?}");
}

/// Connects, asks and hears the whole answer.
fn visit(at: SocketAddr) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(at)?;
    socket.set_read_timeout(Some(crate::cluster::process::PATIENCE))?;
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    match answer.contains("\"status\":\"ok\"") {
        true => Ok(()),
        false => Err(std::io::Error::other(format!("half an answer: {answer:?}"))),
    }
}
