//! HTTP/2: resets, floods of frames that cost the sender nothing, tables that blow up, windows
//! that never open.

use std::io::Write;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::calm::Calm;
use crate::h2::*;
use crate::node::{PATIENCE, Victim};
use crate::raw::Raw;

/// Sends the same bytes until they are not taken any more, or `most` bytes are.
fn hose(h2: &H2, bytes: Vec<u8>, most: usize) -> JoinHandle<usize> {
    let mut writer = h2.raw.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut sent = 0;
        while sent < most && writer.write_all(&bytes).is_ok() {
            sent += bytes.len();
        }
        sent
    })
}

#[test]
fn an_honest_client_is_answered() {
    let victim = Victim::open();
    let mut h2 = H2::open(victim.address, &[]);
    h2.ask(1, "/health");
    assert_eq!(h2.next(HEADERS).unwrap().status(), 200);
}

#[test]
fn rapid_resets_end_the_connection() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    for path in ["/health", "/v1/sse?channel=a"] {
        let mut h2 = H2::open(victim.address, &[]);
        let mut sent = 0;
        let flood: Vec<u8> = (0..20_000u32)
            .flat_map(|n| {
                let stream = 2 * n + 1;
                let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(path));
                [head, frame(RESET, 0, stream, &8u32.to_be_bytes())].concat()
            })
            .collect();
        for part in flood.chunks(64 * 1024) {
            sent += usize::from(h2.raw.say(part)) * part.len();
        }
        let mut goodbye = None;
        while let Some(frame) = h2.frame() {
            if frame.kind == GOAWAY {
                goodbye = Some(frame.code());
            }
        }
        // The goodbye may be lost when the flood goes on; that the connection ends may not.
        assert!(goodbye.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{goodbye:?}, {sent}");
    }
    victim.until_count("connections", 1);
    calm.end();
}

#[test]
fn headers_that_never_end_end_the_connection() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let full = frame(CONTINUATION, 0, 1, &[0x10, 1, b'a', 1, b'b'].repeat(3_000));
    for next in [full, frame(CONTINUATION, 0, 1, &[])] {
        let mut h2 = H2::open(victim.address, &[]);
        h2.say(HEADERS, END_STREAM, 1, &get("/health"));
        let hose = hose(&h2, next, 256 << 20);
        while h2.frame().is_some() {}
        let sent = hose.join().unwrap();
        assert!(sent < 256 << 20, "{sent} bytes of headers are taken");
    }
    calm.end();
}

/// A table of headers that is sent once and meant a thousand times.
#[test]
fn a_bomb_of_headers_is_refused() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut h2 = H2::open(victim.address, &[]);
    let mut block = get("/health");
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend(vec![b'y'; 4_000]);
    block.extend(vec![0xbe; 10_000]);
    h2.say(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    let refused = h2.verdict();
    if let Some(frame) = refused {
        assert!(
            matches!(frame.kind, RESET | GOAWAY) || frame.status() == 431,
            "the bomb is not taken: {frame:?}"
        );
    }
    calm.end();
}

#[test]
fn floods_of_frames_that_are_read_keep_nobody_waiting() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let kinds = [
        ("pings", frame(PING, 0, 0, b"12345678")),
        ("settings", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9])),
        ("priorities", frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 9])),
        ("resets of nothing", frame(WINDOW, 0, 0, &[0, 0, 0, 0])),
        ("unknown frames", frame(0x77, 0, 0, b"what")),
    ];
    for (what, bytes) in kinds {
        let h2 = H2::open(victim.address, &[]);
        let hose = hose(&h2, bytes.repeat(4_000), 24 << 20);
        let mut reader = h2.raw.stream.try_clone().unwrap();
        let reading = std::thread::spawn(move || {
            std::io::copy(&mut reader, &mut std::io::sink()).unwrap_or(0)
        });
        let sent = hose.join().unwrap();
        h2.raw.half_close();
        drop(h2);
        reading.join().unwrap();
        println!("{what}: {sent} bytes taken");
    }
    calm.end();
}

#[test]
fn floods_of_frames_whose_answers_nobody_reads_are_cut() {
    let victim = Victim::with(|options| {
        options.heartbeat.ping = Duration::from_secs(2);
        options.heartbeat.pong = Duration::from_secs(1);
    });
    let calm = Calm::begin(&victim);
    let kinds = [frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9])];
    for bytes in kinds {
        let h2 = H2::open(victim.address, &[]);
        let sent = hose(&h2, bytes.repeat(4_000), 512 << 20).join().unwrap();
        assert!(sent < 512 << 20, "{sent} bytes were taken and never answered");
    }
    calm.end();
}

#[test]
fn empty_data_without_end_is_cut_off() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut h2 = H2::open(victim.address, &[]);
    h2.say(HEADERS, END_HEADERS, 1, &post("/v1/publish"));
    let begun = Instant::now();
    let hose = hose(&h2, frame(DATA, 0, 1, &[]).repeat(1_000), 512 << 20);
    h2.verdict();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop(h2.raw.stream.shutdown(std::net::Shutdown::Both));
    hose.join().unwrap();
    calm.end();
}

#[test]
fn streams_over_the_limit_are_refused() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut h2 = H2::open(victim.address, &[]);
    for n in 0..5_000 {
        if !h2.ask(2 * n + 1, "/v1/sse?channel=a") {
            break;
        }
    }
    let refused = loop {
        match h2.frame() {
            Some(frame) if matches!(frame.kind, RESET | GOAWAY) => break frame.code(),
            Some(_) => {}
            None => break ENHANCE_YOUR_CALM,
        }
    };
    assert!(matches!(refused, REFUSED_STREAM | ENHANCE_YOUR_CALM), "{refused}");
    assert!(victim.count("connections") <= 129);
    drop(h2);
    victim.until_count("connections", 1);
    calm.end();
}

#[test]
fn windows_that_never_open_are_not_waited_for() {
    let victim = Victim::with(|options| options.limits.write_timeout = Duration::from_secs(2));
    let calm = Calm::begin(&victim);
    let publish = |n: usize| {
        let body = format!("{{\"channel\":\"wide\",\"data\":\"{}\"}}", "x".repeat(n));
        assert_eq!(Raw::post(victim.address, "/v1/publish", body).status, 200);
    };
    // No window at all, and one that is opened byte by byte.
    for drip in [false, true] {
        let mut h2 = H2::open(victim.address, &[(4, 0)]);
        let streams: Vec<u32> = (0..20).map(|n| 2 * n + 1).collect();
        for stream in &streams {
            h2.ask(*stream, "/v1/sse?channel=wide");
        }
        for _ in &streams {
            assert_eq!(h2.next(HEADERS).unwrap().status(), 200);
        }
        let begun = Instant::now();
        (0..60).for_each(|_| publish(50_000));
        // It answers every ping, and so is alive as far as the connection goes.
        let mut writer = h2.raw.stream.try_clone().unwrap();
        let dripping = std::thread::spawn(move || {
            while drip && begun.elapsed() < PATIENCE {
                if writer.write_all(&frame(WINDOW, 0, 1, &1u32.to_be_bytes())).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        while h2.frame().is_some() {
            assert!(begun.elapsed() < PATIENCE, "it is never cut");
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        dripping.join().unwrap();
        victim.until_count("connections", 1);
    }
    assert!(victim.count("log_bytes") <= 4 << 20);
    calm.end();
}

#[test]
fn what_http2_forbids_is_refused() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let connect = [vec![0x02, 7], b"CONNECT".to_vec(), vec![0x01, 1, b'a']].concat();
    let extended = [
        vec![0x02, 7],
        b"CONNECT".to_vec(),
        vec![0x00, 9],
        b":protocol".to_vec(),
        vec![9],
        b"websocket".to_vec(),
        get("/v1/ws")[1..].to_vec(),
    ]
    .concat();
    let capital = [get("/health"), vec![0x00, 1, b'X', 1, b'y']].concat();
    let hop = [get("/health"), vec![0x00, 10], b"connection".to_vec(), vec![1, b'x']].concat();
    let crlf = [get("/health"), vec![0x00, 1, b'x', 4], b"a\r\nb".to_vec()].concat();
    let twice = [get("/health"), get("/ready")].concat();
    let cases = [
        ("CONNECT", connect),
        ("extended CONNECT", extended),
        ("a capital letter", capital),
        ("connection", hop),
        ("a line break", crlf),
        ("two paths", twice),
        ("an index that is none", vec![0xff, 0xff, 0xff, 0xff, 0x7f]),
    ];
    for (what, block) in cases {
        let mut h2 = H2::open(victim.address, &[]);
        h2.say(HEADERS, END_HEADERS | END_STREAM, 1, &block);
        if let Some(frame) = h2.verdict() {
            let refused =
                matches!(frame.kind, RESET | GOAWAY) || matches!(frame.status(), 400..500);
            assert!(refused, "{what}: {frame:?}");
        }
    }
    calm.end();
}
