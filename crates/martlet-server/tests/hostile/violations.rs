//! WebSocket: every rule broken once, end to end. The offender is told which in its own words,
//! and its connection really ends.

use flate2::{Compress, Compression, FlushCompress};
use serde_json::json;

use crate::calm::Calm;
use crate::node::Victim;
use crate::raw::Raw;
use crate::ws::{BINARY, CLOSE, FIN, PING, RSV1, TEXT, WebSocket, frame, handshake, text};

/// A frame with a length that is not its own.
fn announced(first: u8, length: u64) -> Vec<u8> {
    let mut out = vec![first, 0x80 | 127];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(b"abcd and a beginning");
    out
}

fn together(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

#[test]
fn each_violation_has_its_close_code_and_the_connection_ends() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let close = |payload: &[u8]| frame(FIN | CLOSE, payload);
    let cases: Vec<(&str, Vec<u8>, u64, u16)> = vec![
        ("no mask", b"\x81\x05Hello".to_vec(), 3500, 1002),
        ("a reserved bit", frame(FIN | 0x20 | TEXT, b"a"), 3500, 1002),
        ("a deflated frame, not agreed on", frame(FIN | RSV1 | TEXT, b"a"), 3500, 1002),
        ("a reserved opcode", frame(FIN | 3, b"a"), 3500, 1002),
        ("a reserved control opcode", frame(FIN | 0xb, b"a"), 3500, 1002),
        ("a long ping", frame(FIN | PING, &[0; 126]), 3500, 1002),
        ("a ping in pieces", frame(PING, b"a"), 3500, 1002),
        ("a continuation of nothing", frame(FIN, b"a"), 3500, 1002),
        ("a message in a message", together(&[frame(TEXT, b"a"), text("b")]), 3500, 1002),
        ("a length in too many bytes", b"\x81\xfe\x00\x05abcdHello".to_vec(), 3500, 1002),
        ("text that is not UTF-8", frame(FIN | TEXT, b"\xff"), 3500, 1007),
        ("a surrogate", frame(FIN | TEXT, b"\xed\xa0\x80"), 3500, 1007),
        ("text that stops inside a letter", frame(FIN | TEXT, b"\xe2\x82"), 3500, 1007),
        (
            "text that goes wrong in its second piece",
            together(&[frame(TEXT, b"\xe2"), frame(0, b"\xff")]),
            3500,
            1007,
        ),
        ("a close of one byte", close(b"\x03"), 3500, 1002),
        ("a close with code 999", close(&999u16.to_be_bytes()), 3500, 1002),
        ("a close with code 1005", close(&1005u16.to_be_bytes()), 3500, 1002),
        ("a close with code 1015", close(&1015u16.to_be_bytes()), 3500, 1002),
        ("a close with code 5000", close(&5000u16.to_be_bytes()), 3500, 1002),
        ("a close whose reason is not UTF-8", close(b"\x03\xe8\xff"), 3500, 1007),
        ("a length with its top bit set", announced(FIN | TEXT, 1 << 63), 3504, 1009),
        ("a length of 2^62", announced(FIN | TEXT, 1 << 62), 3504, 1009),
        ("a length of 4 GB", announced(FIN | BINARY, 1 << 32), 3504, 1009),
        ("a message over the limit", frame(FIN | TEXT, &[b' '; 65_537]), 3504, 1009),
        (
            "fragments over the limit",
            together(&[frame(TEXT, &[b' '; 40_000]), frame(0, &[b' '; 40_000])]),
            3504,
            1009,
        ),
        (
            "100,000 empty fragments",
            [frame(TEXT, b""), frame(0, b"").repeat(100_000)].concat(),
            3504,
            1009,
        ),
        ("a frame that is no JSON", text("nonsense"), 3500, 3500),
        ("a frame of 100,000 brackets", text(&"[".repeat(60_000)), 3500, 3500),
    ];
    for (what, bytes, event, code) in cases {
        println!("{what}");
        let mut socket = WebSocket::connected(victim.address);
        socket.raw.say(&bytes);
        let (told, closed, reason) = socket.closed();
        assert_eq!((told, closed), (event, code), "{what}");
        assert!(reason.len() > 10, "{what}: {reason:?}");
    }
    victim.until_count("connections", 1);
    calm.end();
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(bytes.len() / 100 + 1024);
    compress.compress_vec(bytes, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(compress.total_in(), bytes.len() as u64);
    out.truncate(out.len() - 4);
    out
}

#[test]
fn bombs_and_garbage_in_deflated_messages_stop_at_the_limit() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let bomb = deflate(&vec![b' '; 32 << 20]);
    let cases: Vec<(&str, Vec<u8>, u64, u16)> = vec![
        ("a bomb", frame(FIN | RSV1 | TEXT, &bomb), 3504, 1009),
        (
            "a bomb in pieces",
            together(&[frame(RSV1 | TEXT, &bomb[..100]), frame(FIN, &bomb[100..])]),
            3504,
            1009,
        ),
        ("garbage", frame(FIN | RSV1 | TEXT, &[0xff; 40]), 3500, 1007),
        ("many streams", frame(FIN | RSV1 | TEXT, &[3, 0].repeat(20_000)), 3500, 1007),
        ("the bit on a ping", frame(FIN | RSV1 | PING, b""), 3500, 1002),
        (
            "the bit on a continuation",
            together(&[frame(RSV1 | TEXT, b"a"), frame(FIN | RSV1, b"b")]),
            3500,
            1002,
        ),
    ];
    for (what, bytes, event, code) in cases {
        let offer = "Sec-WebSocket-Protocol: martlet.v1.json\r\n\
                     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99, \
                     permessage-deflate; server_max_window_bits=8, permessage-deflate\r\n";
        let mut socket = WebSocket::open_with(victim.address, offer);
        socket.raw.say(&bytes);
        let (told, closed, _) = socket.closed();
        assert_eq!((told, closed), (event, code), "{what}");
    }
    calm.end();
}

#[test]
fn offers_that_take_others_minutes_take_no_time() {
    let victim = Victim::open();
    let calm = Calm::begin(&victim);
    let offers = [
        format!("Sec-WebSocket-Extensions: {}\r\n", "a;".repeat(7_000)),
        format!("Sec-WebSocket-Extensions: a; b={}\r\n", "\"\\".repeat(7_000)),
        format!("Sec-WebSocket-Extensions: {}x\r\n", " ".repeat(15_000)),
        "Sec-WebSocket-Extensions: __proto__; constructor=1, permessage-deflate; x\r\n".into(),
    ];
    for offer in offers {
        let mut raw = Raw::open(victim.address);
        raw.say(handshake(&offer));
        let answer = raw.answer();
        assert_eq!(answer.status, 101);
        assert_eq!(answer.field("sec-websocket-extensions"), None, "{offer:?}");
    }
    let protocols = format!("Sec-WebSocket-Protocol: {}\r\n", ",".repeat(15_000));
    assert_eq!(Raw::ask(victim.address, handshake(&protocols)).status, 101);
    calm.end();
}

#[test]
fn the_close_of_a_large_message_reaches_a_client_that_sends_all_of_it() {
    let victim = Victim::open();
    let mut socket = WebSocket::connected(victim.address);
    // Like most clients it sends the whole message before it reads.
    socket.raw.say(frame(FIN | TEXT, &vec![b' '; 600_000]));
    let (_, code, _) = socket.closed();
    assert_eq!(code, 1009);
}

#[test]
fn text_to_a_binary_protocol_and_the_other_way_round() {
    let victim = Victim::open();
    let proto = "Sec-WebSocket-Protocol: martlet.v1.proto\r\n";
    let mut socket = WebSocket::open_with(victim.address, proto);
    socket.raw.say(text("{\"connect\":{}}"));
    let mut last = None;
    while let Some(frame) = socket.frame() {
        last = Some(frame);
    }
    let last = last.unwrap();
    assert_eq!((last.first, &last.payload[..2]), (0x88, &3500u16.to_be_bytes()[..]));

    let mut socket = WebSocket::open(victim.address);
    socket.raw.say(frame(FIN | BINARY, b"\x04\x08\x01\x12\x00"));
    assert_eq!(socket.closed().1, 3500);
}

#[test]
fn a_connection_that_breaks_off_inside_a_frame_is_forgotten() {
    let victim = Victim::open();
    for half in [&b"\x81"[..], b"\x81\xfe", b"\x81\xfe\x7f\xffab", b"\x81\xfe\x7f\xffabcdhalf"] {
        let mut socket = WebSocket::connected(victim.address);
        socket.command(json!({"id": 2, "subscribe": [{"channel": "half"}]}));
        socket.event("subscribed");
        socket.raw.say(half);
    }
    victim.until_count("connections", 0);
    let listed = Raw::get(victim.address, "/v1/channels?prefix=half").json();
    assert_eq!(listed["channels"][0]["subscribers"].as_u64().unwrap_or(0), 0);
}
