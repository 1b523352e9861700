//! Floods: commands, pings, subscriptions, publications and connections as fast as a socket takes
//! them. Whoever floods is slowed down, told so, and cut off; the others do not notice.

use std::io::Write;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::calm::Calm;
use crate::node::{PATIENCE, Victim};
use crate::raw::Raw;
use crate::ws::{FIN, PING, PONG, TEXT, WebSocket, frame, text};

/// Sends the same bytes again and again until they are not taken any more, or `most` bytes are.
/// Gives how many bytes were taken.
fn hose(socket: &WebSocket, bytes: Vec<u8>, most: usize) -> JoinHandle<usize> {
    let mut writer = socket.raw.stream.try_clone().unwrap();
    let many = bytes.repeat((256 * 1024 / bytes.len()).max(1));
    std::thread::spawn(move || {
        let mut sent = 0;
        while sent < most && writer.write_all(&many).is_ok() {
            sent += many.len();
        }
        sent
    })
}

/// A flood that is read and still ends: gives the codes of its refusals, how many of each, and
/// what it was closed with.
fn flood(victim: &Victim, bytes: Vec<u8>) -> (Vec<(u64, usize)>, u16) {
    let mut socket = WebSocket::connected(victim.address);
    let hose = hose(&socket, bytes, 64 << 20);
    let mut codes: Vec<(u64, usize)> = Vec::new();
    let mut closed = 0;
    while let Some(event) = socket.any_event() {
        if let Some(code) = event["error"]["code"].as_u64() {
            match codes.iter_mut().find(|(known, _)| *known == code) {
                Some((_, count)) => *count += 1,
                None => codes.push((code, 1)),
            }
            if code == 1304 {
                assert!(event["error"]["after"].as_u64().unwrap() > 0, "{event}");
            }
        }
        closed = event["close"]["code"].as_u64().unwrap_or(closed);
    }
    socket.raw.ended();
    let sent = hose.join().unwrap();
    assert!(sent < 64 << 20, "a flood of any size is taken");
    (codes, closed as u16)
}

#[test]
fn commands_over_the_rate_are_refused_with_a_time_and_then_end_the_connection() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let ping = text("{\"id\":1,\"ping\":{}}");
    let publish = text("{\"id\":1,\"publish\":{\"channel\":\"flood\",\"data\":1}}");
    let churn = text("{\"subscribe\":[{\"channel\":\"a\"}]}\n{\"unsubscribe\":[\"a\"]}");
    let many = text(&"{\"id\":1,\"presence\":{\"channel\":\"flood\"}}\n".repeat(250));
    for (what, bytes) in [("ping", ping), ("publish", publish), ("churn", churn), ("many", many)] {
        let (codes, closed) = flood(&victim, bytes);
        assert_eq!(closed, 3503, "{what}");
        assert_eq!(codes.last().map(|(code, _)| *code), Some(1304), "{what}: {codes:?}");
    }
    let taken = Raw::get(victim.address, "/v1/channels/flood/history?limit=0").json();
    assert!(taken["offset"].as_u64().unwrap() <= 1_000, "at most the burst: {taken}");
    calm.end();
}

#[test]
fn what_is_no_command_counts_like_one() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let cases = [
        ("an unknown command", text("{\"id\":1,\"nonsense\":{}}"), 1002),
        ("a bad channel", text("{\"id\":1,\"presence\":{\"channel\":\"a b\"}}"), 1200),
        ("connect again", text("{\"id\":1,\"connect\":{}}"), 1004),
    ];
    for (what, bytes, code) in cases {
        let (codes, closed) = flood(&victim, bytes);
        assert_eq!(closed, 3503, "{what}");
        assert_eq!(codes[0].0, code, "{what}: {codes:?}");
    }
    calm.end();
}

#[test]
fn commands_before_connect_count_too() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut socket = WebSocket::open(victim.address);
    let hose = hose(&socket, text("{\"id\":1,\"ping\":{}}"), 64 << 20);
    let begun = Instant::now();
    let mut closed = 0;
    while let Some(event) = socket.any_event() {
        closed = event["close"]["code"].as_u64().unwrap_or(closed);
    }
    assert_eq!(closed, 3503);
    assert!(begun.elapsed() < Duration::from_secs(8), "before its time for connect is over");
    socket.raw.ended();
    assert!(hose.join().unwrap() < 64 << 20);
    calm.end();
}

#[test]
fn signs_of_life_at_line_rate_end_the_connection() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let cases = [
        ("pongs as commands", text("{\"pong\":{}}")),
        ("pings of WebSocket", frame(FIN | PING, b"")),
        ("pongs of WebSocket", frame(FIN | PONG, b"")),
        ("empty texts", frame(FIN | TEXT, b"")),
        ("line feeds", text("\n\n\n\n")),
    ];
    for (what, bytes) in cases {
        let mut socket = WebSocket::connected(victim.address);
        let hose = hose(&socket, bytes, 64 << 20);
        while let Some(frame) = socket.frame() {
            drop(frame);
        }
        let sent = hose.join().unwrap();
        assert!(sent < 64 << 20, "{what}: a flood of any size is taken");
    }
    calm.end();
}

#[test]
fn pings_whose_pongs_nobody_reads_are_owed_up_to_a_limit() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let socket = WebSocket::connected(victim.address);
    let mut writer = socket.raw.stream.try_clone().unwrap();
    // Slow enough not to count as a flood at once, and never reading.
    let ping = frame(FIN | PING, &[b'p'; 125]).repeat(50);
    let begun = Instant::now();
    while writer.write_all(&ping).is_ok() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(begun.elapsed() < PATIENCE, "it is cut");
    victim.until_count("connections", 1);
    calm.end();
}

#[test]
fn subscribing_and_unsubscribing_without_end_leaves_nothing_behind() {
    let victim = Victim::with(|options| {
        options.limits.commands_per_second = 1_000_000;
        options.limits.commands_burst = 1_000_000;
    });
    let calm = Calm::begin(&victim);
    let churners: Vec<_> = (0..4)
        .map(|who| {
            let mut socket = WebSocket::connected(victim.address);
            std::thread::spawn(move || {
                for round in 0..400 {
                    let channels: Vec<_> = (0..20).map(|n| format!("c{who}.{round}.{n}")).collect();
                    let all: Vec<_> = channels.iter().map(|c| json!({"channel": c})).collect();
                    socket.command(json!({"subscribe": all}));
                    socket.command(json!({"unsubscribe": channels}));
                }
                socket.command(json!({"id": 9, "ping": {}}));
                socket.event("pong");
            })
        })
        .collect();
    churners.into_iter().for_each(|churner| churner.join().unwrap());
    victim.until_count("channels", 1);
    victim.until_count("connections", 1);
    assert_eq!(victim.count("log_bytes"), 0);
    calm.end();
}

#[test]
fn ten_thousand_connections_come_and_go() {
    let victim = Victim::with(|options| options.session.resume = Duration::from_secs(1));
    let calm = Calm::begin(&victim);
    let connect = text("{\"id\":1,\"connect\":{\"subscribe\":[{\"channel\":\"storm\"}]}}");
    let flooders: Vec<_> = (0..4)
        .map(|_| {
            let (address, connect) = (victim.address, connect.clone());
            std::thread::spawn(move || {
                for n in 0..2_500 {
                    match n % 5 {
                        // Without a word; in the middle of a head; of a handshake; and whole.
                        0 => drop(Raw::open(address)),
                        1 => drop(Raw::open(address).say("GET /v1/ws HTTP/1.1\r\n")),
                        2 => drop(Raw::open(address).say(crate::ws::handshake(""))),
                        _ => drop(WebSocket::open(address).raw.say(&connect)),
                    }
                }
            })
        })
        .collect();
    flooders.into_iter().for_each(|flooder| flooder.join().unwrap());
    victim.until_count("connections", 1);
    victim.until_count("sessions", 1);
    let record = calm.end();
    assert!(record.publications > 50, "{record:?}");
}

#[test]
fn a_thousand_idle_connections_are_held_and_let_go() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let idle: Vec<_> = (0..1_000).map(|_| WebSocket::open(victim.address)).collect();
    assert_eq!(victim.count("connections"), 1_001);
    drop(idle);
    victim.until_count("connections", 1);
    calm.end();
}
