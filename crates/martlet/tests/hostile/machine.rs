//! What the machine does to the program.

use std::io::Read;
use std::time::{Duration, Instant};

use martlet_client::{Api, GapReason, Transport};

use crate::crowd::{Follower, count, run};
use crate::served::{PATIENCE, Served};

const HANDSHAKE: &[u8] = b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: martlet.v1.json\r\n\r\n";

/// Those who are connected go on, nobody spins, and when there are descriptors again whoever
/// waited is let in.
#[test]
fn it_runs_out_of_descriptors_and_comes_back() {
    let mut served = Served::on("127.0.0.1:0", "ulimit -n 64", &[]).ignore_log();
    run(async {
        let api = Api::new(&served.url(), None).unwrap();
        let mut follower = Follower::of(&served, Transport::WebSocket).await;
        count(&api, 1).await;
        assert_eq!(follower.next().await.0, 1);
        let crowd: Vec<_> = (0..200).map(|_| served.say(HANDSHAKE)).collect();
        assert!(!served.answers(Duration::from_millis(500)), "there are no descriptors left");
        let before = served.cpu();
        let begun = Instant::now();
        for number in 2..60 {
            count(&api, number).await;
            assert_eq!(follower.next().await, (number, None));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (spent, passed) = (served.cpu() - before, begun.elapsed().as_millis() as u64 / 10);
        assert!(spent < passed / 2, "{spent} of {passed} hundredths of a second were spent");
        drop(crowd);
        let begun = Instant::now();
        while !served.answers(Duration::from_secs(1)) {
            assert!(begun.elapsed() < PATIENCE, "it never accepts again");
        }
        follower.client.close().await;
    });
    assert!(served.lives());
}

/// Whoever reads the log may go; the server stays.
#[test]
fn nobody_reads_its_log() {
    let mut served = Served::start(&["--set", "log.level=trace"]);
    drop(served.log.take());
    run(async {
        let api = Api::new(&served.url(), None).unwrap();
        let mut follower = Follower::of(&served, Transport::WebSocket).await;
        for number in 1..20 {
            // Each of them makes lines for the log.
            drop(served.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame of any kind"));
            drop(served.say(b"nonsense\r\n\r\n"));
            count(&api, number).await;
            assert_eq!(follower.next().await, (number, None));
        }
        follower.client.close().await;
    });
    assert!(served.answers(PATIENCE));
    assert!(served.lives());
    served.signal("TERM");
    let begun = Instant::now();
    while served.lives() {
        assert!(begun.elapsed() < PATIENCE, "it does not stop");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Everybody comes back to the new process, is told that the history is another one, and hears
/// everything from then on, once and in order.
#[test]
fn it_is_killed_with_clients_connected() {
    let mut served = Served::start(&[]).ignore_log();
    let address = served.address.to_string();
    run(async {
        let api = Api::new(&served.url(), None).unwrap();
        let mut followers = Vec::new();
        for n in 0..12 {
            let transport = if n % 2 == 0 { Transport::WebSocket } else { Transport::Sse };
            followers.push(Follower::of(&served, transport).await);
        }
        for number in 1..=5 {
            count(&api, number).await;
            for follower in &mut followers {
                assert_eq!(follower.next().await, (number, None));
            }
        }
        served.kill();
        served = Served::on(&address, "", &[]).ignore_log();
        for number in 6..=10 {
            count(&api, number).await;
        }
        for follower in &mut followers {
            let (first, gap) = follower.next().await;
            let gap = gap.expect("a new history is told as a gap");
            assert_eq!((gap.reason, gap.to), (GapReason::Epoch, None));
            assert_eq!(first, 6, "what the new history has is all heard");
            for number in 7..=10 {
                assert_eq!(follower.next().await, (number, None));
            }
            follower.client.close().await;
        }
    });
}

/// As on a laptop that was closed for a moment, or a machine that is moved to another.
#[test]
fn it_stands_still_for_a_while() {
    let mut served = Served::start(&[]).ignore_log();
    run(async {
        let api = Api::new(&served.url(), None).unwrap();
        let mut followers = Vec::new();
        for transport in [Transport::WebSocket, Transport::Sse] {
            followers.push(Follower::of(&served, transport).await);
        }
        for number in 1..=3 {
            served.signal("STOP");
            let (counted, ()) = tokio::join!(count(&api, number), async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                served.signal("CONT");
            });
            let () = counted;
            for follower in &mut followers {
                assert_eq!(follower.next().await, (number, None));
            }
        }
    });
    assert!(served.lives());
}

/// Memory after a storm: three thousand connections, and a channel that nobody reads.
#[test]
fn it_gives_memory_back_after_a_storm() {
    let mut served =
        Served::start(&["--set", "limits.write_timeout=2s", "--set", "session.resume=1s"])
            .ignore_log();
    let storm = |served: &Served| {
        let frame = |text: &str| {
            let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
            frame.extend(text.as_bytes());
            frame
        };
        let hello = frame("{\"connect\":{\"subscribe\":[{\"channel\":\"storm\"}]}}");
        let bytes = [HANDSHAKE, &hello].concat();
        let crowd: Vec<_> = (0..3_000).map(|_| served.say(&bytes)).collect();
        let item = format!("{{\"channel\":\"storm\",\"data\":\"{}\"}}", "x".repeat(10_000));
        let body = format!("{{\"publish\":[{}]}}", vec![&*item; 80].join(","));
        let head = format!(
            "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        for _ in 0..12 {
            let mut answer = String::new();
            let mut socket = served.say(format!("{head}{body}").as_bytes());
            socket.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        drop(crowd);
    };
    // The first storm brings what stays: a history, threads, tables of some size.
    storm(&served);
    let settled = settle(&served, u64::MAX);
    storm(&served);
    let after = settle(&served, settled + (24 << 20));
    assert!(after <= settled + (24 << 20), "from {settled} to {after} bytes");
    assert!(served.answers(PATIENCE));
    assert!(served.lives());
}

/// Waits until the memory has come down to `least`, or comes down no more; says where it is.
fn settle(served: &Served, least: u64) -> u64 {
    let mut last = u64::MAX;
    for _ in 0..8 {
        std::thread::sleep(Duration::from_secs(1));
        let now = served.memory();
        if now <= least && last != u64::MAX && now + (1 << 20) > last {
            return now;
        }
        last = now;
    }
    last
}
