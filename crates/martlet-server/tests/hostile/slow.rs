//! Those who do not read, or not any more, or so slowly that it comes to the same: they cost what
//! the limits say, and are cut in the end.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::calm::Calm;
use crate::node::{PATIENCE, Victim};
use crate::raw::Raw;
use crate::ws::WebSocket;

const MIB: u64 = 1 << 20;

/// Publishes this many megabytes in `channel`.
fn publish(victim: &Victim, channel: &str, megabytes: usize) {
    let pad = "x".repeat(50_000);
    let one = format!("{{\"channel\":\"{channel}\",\"data\":\"{pad}\"}}");
    for _ in 0..megabytes {
        let body = format!("{{\"publish\":[{}]}}", vec![&*one; 20].join(","));
        assert_eq!(Raw::post(victim.address, "/v1/batch", body).status, 200);
    }
}

fn stream(victim: &Victim, channel: &str) -> Raw {
    let mut raw = Raw::open(victim.address);
    raw.say(format!("GET /v1/sse?channel={channel} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    raw.until(": martlet\n\n");
    raw
}

fn follower(address: SocketAddr, channel: &str) -> WebSocket {
    let mut socket = WebSocket::connected(address);
    socket.command(json!({"id": 2, "subscribe": [{"channel": channel}]}));
    socket.event("subscribed");
    socket
}

#[test]
fn clients_that_never_read_cost_a_log_and_are_cut() {
    let victim = Victim::with(|options| options.limits.write_timeout = Duration::from_secs(2));
    let calm = Calm::begin(&victim);
    let sockets: Vec<_> = (0..20).map(|_| follower(victim.address, "wide")).collect();
    let streams: Vec<_> = (0..20).map(|_| stream(&victim, "wide")).collect();
    publish(&victim, "wide", 40);
    // One log for each of the two wires on each of the two workers, and a little for the pair.
    let held = victim.count("log_bytes");
    assert!(held <= 5 * MIB, "{held} bytes are held");
    victim.until_count("connections", 1);
    assert_eq!(victim.count("readers_cut_total"), 40);
    victim.until_count("log_bytes", MIB);
    drop((sockets, streams));
    calm.end();
}

/// It asks for much and reads none of it.
#[test]
fn answers_that_nobody_reads_are_owed_up_to_a_limit() {
    let victim = Victim::with(|options| options.limits.write_timeout = Duration::from_secs(2));
    let calm = Calm::begin(&victim);
    publish(&victim, "long", 2);
    let mut socket = WebSocket::connected(victim.address);
    let begun = Instant::now();
    while socket.command(json!({"id": 3, "history": {"channel": "long", "limit": 1_000}})) {
        assert!(begun.elapsed() < PATIENCE, "it is never cut");
        std::thread::sleep(Duration::from_millis(10));
    }
    victim.until_count("connections", 1);
    calm.end();
}

#[test]
fn a_client_that_reads_a_few_bytes_a_second_keeps_nobody_waiting() {
    let victim = Victim::with(|options| options.limits.write_timeout = Duration::from_secs(2));
    let calm = Calm::begin(&victim);
    let readers: Vec<_> = (0..4)
        .map(|n| {
            let raw = if n % 2 == 0 {
                stream(&victim, "drip")
            } else {
                follower(victim.address, "drip").raw
            };
            let mut socket = raw.stream;
            std::thread::spawn(move || {
                let begun = Instant::now();
                let mut byte = [0; 64];
                while begun.elapsed() < Duration::from_secs(6) && socket.read(&mut byte).is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            })
        })
        .collect();
    publish(&victim, "drip", 20);
    assert!(victim.count("log_bytes") <= 5 * MIB);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    victim.until_count("connections", 1);
    calm.end();
}

/// Passes bytes on until it is told to stop; then it holds both connections and does nothing, as
/// a network does that has lost the way.
struct Hole {
    address: SocketAddr,
    swallowing: Arc<AtomicBool>,
}

impl Hole {
    fn before(victim: &Victim) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let hole = Self {
            address: listener.local_addr().unwrap(),
            swallowing: Arc::new(AtomicBool::new(false)),
        };
        let (server, swallowing) = (victim.address, Arc::clone(&hole.swallowing));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(server).unwrap();
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                pass(client, server, Arc::clone(&swallowing));
                pass(back.0, back.1, Arc::clone(&swallowing));
            }
        });
        hole
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, swallowing: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if swallowing.load(Ordering::Relaxed) {
                // Neither an end nor a byte gets through; the sockets stay open with the test.
                std::mem::forget((from, to));
                return;
            }
            if to.write_all(&bytes[..count]).is_err() {
                return;
            }
        }
    });
}

#[test]
fn peers_that_the_network_has_lost_are_given_up() {
    let victim = Victim::with(|options| {
        options.heartbeat.ping = Duration::from_secs(1);
        options.heartbeat.pong = Duration::from_secs(1);
        options.limits.write_timeout = Duration::from_secs(2);
        options.session.resume = Duration::from_secs(1);
        let open = &mut options.channels.default;
        open.presence_grace = Duration::from_secs(1);
    });
    let calm = Calm::begin(&victim);
    let hole = Hole::before(&victim);
    let mut lost: Vec<_> = (0..5).map(|_| follower(hole.address, "lost")).collect();
    let mut raw = Raw::open(hole.address);
    raw.say("GET /v1/sse?channel=lost HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw.until(": martlet\n\n");
    assert_eq!(victim.count("connections"), 7);
    hole.swallowing.store(true, Ordering::Relaxed);
    // A stream of events has no way to answer: that its peer is lost shows when it is written to.
    publish(&victim, "lost", 10);
    victim.until_count("connections", 1);
    victim.until_count("sessions", 1);
    let begun = Instant::now();
    loop {
        let here = Raw::get(victim.address, "/v1/channels/lost/presence").json();
        if here["count"] == 0 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{here}");
        std::thread::sleep(Duration::from_millis(20));
    }
    lost.clear();
    calm.end();
}
