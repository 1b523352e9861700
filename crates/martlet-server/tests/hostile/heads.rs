//! HTTP/1: requests that are none, that could be read in two ways, that are too large or too
//! many, and those that never end.

use std::time::{Duration, Instant};

use crate::calm::Calm;
use crate::node::{PATIENCE, Victim};
use crate::raw::Raw;
use crate::ws::handshake;

#[test]
fn what_is_no_request_is_refused_with_a_sentence_and_the_connection_ends() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let get = |fields: &str| format!("GET /health HTTP/1.1\r\n{fields}\r\n");
    let post = |fields: &str| {
        format!("POST /v1/sse?protocol=martlet.v1.json HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
    };
    let cases: Vec<(String, u16, u64)> = vec![
        (get("Host: localhost\r\nHost: b\r\n"), 400, 1011),
        (get(""), 400, 1011),
        (get("Host: a@b\r\n"), 400, 1011),
        (get("Host: localhost\r\nX: a\rb\r\n"), 400, 1011),
        (get("Host: localhost\r\nX: \0\r\n"), 400, 1011),
        (get("Host: localhost\r\nX: b\r\n c\r\n"), 400, 1011),
        (get("Host: localhost\r\nX : b\r\n"), 400, 1011),
        ("GET /health HTTP/1.1\rHost: localhost\r\n\r\n".into(), 400, 1011),
        ("GET /health HTTP/3.0\r\nHost: localhost\r\n\r\n".into(), 400, 1011),
        ("GET /hea lth HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 400, 1011),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n".into(), 400, 1011),
        ("\r\n".repeat(10_000), 400, 1011),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".into(), 405, 1008),
        ("TRACE /health HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 405, 1008),
        (post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, 1011),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400, 1011),
        (post("Transfer-Encoding: xchunked\r\n"), 400, 1011),
        (post("Transfer-Encoding: gzip, chunked\r\n"), 400, 1011),
        (post("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, 1011),
        (post("Content-Length: +3\r\n"), 400, 1011),
        (post("Content-Length: -1\r\n"), 400, 1011),
        (post("Content-Length: 18446744073709551616\r\n"), 400, 1011),
        (post("Content-Length: 10737418240\r\n"), 413, 1005),
        (format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(200_000)), 414, 1013),
        (get(&format!("Host: localhost\r\nX: {}\r\n", "a".repeat(100_000))), 431, 1012),
        (get(&format!("Host: localhost\r\n{}", "X: y\r\n".repeat(2_000))), 431, 1012),
        (handshake("").replace("13", "8"), 426, 1015),
        (handshake("").replace("Upgrade: websocket\r\n", ""), 426, 1015),
        (handshake("").replace("dGhl", "####"), 400, 1011),
        (handshake("").replace("GET", "POST"), 405, 1008),
        (handshake("Origin: http://a.evil\r\n"), 403, 1109),
        (handshake("Origin: null\r\n"), 403, 1109),
        (handshake("Sec-WebSocket-Protocol: __proto__\r\n"), 400, 1010),
    ];
    for (request, status, code) in cases {
        let shown: String = request.chars().take(90).collect();
        let mut raw = Raw::open(victim.address);
        raw.say(&request);
        let answer = raw.answer();
        assert_eq!(answer.refusal(), (status, code), "to {shown:?}: {}", answer.text());
        assert_eq!(answer.field("connection"), Some("close"), "{shown:?}");
        raw.half_close();
        assert!(raw.ended().is_empty(), "one answer, and the end: {shown:?}");
    }
    calm.end();
}

#[test]
fn a_request_hidden_in_another_is_never_answered() {
    let victim = Victim::open();
    let hidden = "GET /v1/channels?hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let publish = |fields: &str, body: &str| {
        format!(
            "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{fields}\r\n{body}"
        )
    };
    let first = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", hidden.len() + 5);
    let doubles = [
        publish(&format!("{length}Transfer-Encoding: chunked\r\n"), &format!("0\r\n\r\n{hidden}")),
        publish("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &format!("1c\r\n{hidden}")),
        publish("Transfer-Encoding:\x0bchunked\r\n", &format!("0\r\n\r\n{hidden}")),
        publish("Transfer-Encoding: chunked\r\n", &format!("0x0\r\n\r\n{hidden}")),
        publish("Transfer-Encoding: chunked\r\n", &format!("-0\r\n\r\n{hidden}")),
        publish("Transfer-Encoding: chunked\r\n", &format!("fffffffffffffffff\r\n\r\n{hidden}")),
        publish(&format!("Transfer-Encoding: chunked\r\n{length}"), &format!("0\n\n{hidden}")),
        publish("Content-Length: 0\r\nContent-Length: 44\r\n", hidden),
        publish("Content-Length: 0, 44\r\n", hidden),
    ];
    for double in doubles {
        // First on its connection, where our own reader sees it, and second, where hyper does.
        for before in ["", first] {
            let mut raw = Raw::open(victim.address);
            raw.say(format!("{before}{double}"));
            raw.half_close();
            let text = String::from_utf8(raw.ended()).unwrap();
            assert!(!text.contains("\"channels\""), "{before}{double}\n→ {text}");
        }
    }
}

#[test]
fn five_hundred_requests_at_once_are_answered_in_order() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let mut raw = Raw::open(victim.address);
    let mut writer = raw.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let requests: String = (0..500)
            .map(|n| {
                let body = format!("{{\"channel\":\"pipe\",\"data\":{n}}}");
                let length = body.len();
                format!("POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
            })
            .collect();
        std::io::Write::write_all(&mut writer, requests.as_bytes()).unwrap();
    });
    for n in 1..=500 {
        assert_eq!(raw.answer().json()["offset"], n);
    }
    sending.join().unwrap();
    calm.end();
}

#[test]
fn paths_of_other_worlds_lead_nowhere_and_come_back_in_no_header() {
    let victim = Victim::open();
    let paths = [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/v1/channels/%00/history",
        "/v1/channels/a%0d%0aX-Injected:%20yes/history",
        "/v1/channels/%ff%fe/history",
        "/v1/channels/%e2%80%a8/presence",
        "/v1//publish",
        "/app.js/../../x",
        "/v1/channels/a%2f..%2fb/history?limit=99999999999999999999",
        "/v1/channels?limit=-1&prefix=%0d%0a",
    ];
    for path in paths {
        let answer = Raw::get(victim.address, path);
        assert!(matches!(answer.refusal().0, 400 | 404), "{path}: {answer:?}");
        assert_eq!(answer.field("x-injected"), None, "{path}");
    }
}

#[test]
fn forged_addresses_and_methods_are_ignored() {
    let victim = Victim::open();
    let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n\
                   X-HTTP-Method-Override: DELETE\r\nForwarded: for=\"_x\"\r\n\r\n";
    assert_eq!(Raw::ask(victim.address, request).status, 200);
    let proxied = format!("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n{request}");
    assert_eq!(Raw::ask(victim.address, proxied).refusal(), (400, 1011));
}

/// Each of them would hold a connection for ever. They are all cut after the same patience, one
/// beside the other.
#[test]
fn whoever_never_comes_to_an_end_is_cut_off() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let publish =
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let sse = "POST /v1/sse?protocol=martlet.v1.json HTTP/1.1\r\nHost: localhost\r\n";
    let drips: Vec<(&str, String, &[u8])> = vec![
        ("says nothing", String::new(), b""),
        ("never ends its head", "GET /health HTTP/1.1\r\n".into(), b"X: y\r\n"),
        ("sends its head byte by byte", "G".into(), b"E"),
        ("never ends its first line", "GET /".into(), b"a"),
        ("never sends its body", format!("{publish}Content-Length: 100\r\n\r\n"), b""),
        ("drips its body", format!("{publish}Content-Length: 100\r\n\r\n"), b" "),
        ("drips chunks", format!("{publish}Transfer-Encoding: chunked\r\n\r\n"), b"1\r\n \r\n"),
        ("drips a chunk's line", format!("{publish}Transfer-Encoding: chunked\r\n\r\n1;"), b"a"),
        ("drips a stream's body", format!("{sse}Content-Length: 100\r\n\r\n"), b" "),
        (
            "drips a stream's chunks",
            format!("{sse}Transfer-Encoding: chunked\r\n\r\n"),
            b"1\r\n \r\n",
        ),
        ("never says connect", handshake(""), b""),
        ("never says connect, but pings", handshake(""), b"\x89\x80abcd"),
        ("begins HTTP/2 only", "PRI * HT".into(), b""),
    ];
    let victims = drips.into_iter().map(|(what, begin, drip)| {
        let mut raw = Raw::open(victim.address);
        raw.say(&begin);
        let drip = drip.to_vec();
        let mut writer = raw.stream.try_clone().unwrap();
        // Drips until it is cut: a write after the end fails.
        let dripping = std::thread::spawn(move || {
            let begun = Instant::now();
            while !drip.is_empty() && begun.elapsed() < PATIENCE {
                if std::io::Write::write_all(&mut writer, &drip).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let waiting = std::thread::spawn(move || raw.cut_after());
        (what, dripping, waiting)
    });
    for (what, dripping, waiting) in victims.collect::<Vec<_>>() {
        let took = waiting.join().unwrap_or_else(|_| panic!("who {what} is never cut"));
        assert!(took < Duration::from_secs(20), "who {what} is cut after {took:?}");
        dripping.join().unwrap();
    }
    victim.until_count("connections", 1);
    calm.end();
}

#[test]
fn a_head_of_single_bytes_costs_no_more_than_one_in_one_piece() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let head =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(12_000));
    let mut raw = Raw::open(victim.address);
    let begun = Instant::now();
    for byte in head.as_bytes() {
        assert!(raw.say([*byte]));
    }
    assert_eq!(raw.answer().status, 200);
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
    calm.end();
}

#[test]
fn bodies_that_are_too_large_are_refused_and_take_no_memory() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let announced =
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10737418240\r\n\r\n";
    assert_eq!(Raw::ask(victim.address, announced).refusal(), (413, 1005));
    let large = vec![b' '; 2 << 20];
    assert_eq!(Raw::post(victim.address, "/v1/publish", &large).refusal(), (413, 1005));
    let newlines = vec![b'\n'; 8 << 20];
    let lines = Raw::post_as(victim.address, "/v1/batch", "application/x-ndjson", newlines);
    assert_eq!(lines.refusal(), (413, 1005));
    let newlines = vec![b'\n'; 900 << 10];
    let lines = Raw::post_as(victim.address, "/v1/batch", "application/x-ndjson", newlines);
    assert_eq!(lines.json()["results"].as_array().unwrap().len(), 0);
    let endless =
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut raw = Raw::open(victim.address);
    raw.say(endless);
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let sent = (0..10_000).take_while(|_| raw.say(&chunk)).count();
    assert!(sent < 1_000, "an endless body is taken to its limit only, not {sent} chunks of it");
    calm.end();
}

#[test]
fn what_is_no_tls_on_a_tls_port_ends_at_once_and_half_a_handshake_in_time() {
    let victim = Victim::with(|options| options.server.tls.development = true);
    let begun = Instant::now();
    let garbage: [&[u8]; 4] = [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\xff\xff",
        &[0x16; 70_000],
    ];
    for bytes in garbage {
        let mut raw = Raw::open(victim.address);
        raw.say(bytes);
        raw.half_close();
        raw.ended();
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let halves: Vec<_> = (0..50)
        .map(|_| {
            let mut raw = Raw::open(victim.address);
            raw.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
            raw
        })
        .collect();
    let begun = Instant::now();
    for mut half in halves {
        half.ended();
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
