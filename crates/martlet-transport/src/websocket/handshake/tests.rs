//! Good handshakes are answered as RFC 6455 and RFC 7692 say, bad ones with the right refusal.

use std::time::{Duration, Instant};

use super::*;
use crate::http1::{HeadLimits, parse_head};

const GOOD: &str = "GET /v1/ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

const PROTOCOLS: &[&str] = &["martlet.v1.json", "martlet.v1.proto"];

fn head(text: &str) -> Head {
    let whole = format!("{text}\r\n");
    let limits = HeadLimits { bytes: 1 << 20, fields: 100, address: 1000 };
    parse_head(whole.as_bytes(), &limits).expect("a good head").expect("a whole head").0
}

fn accept_with(text: &str, origins: &Origins, deflate: bool) -> Result<Accepted, Refusal> {
    accept(&head(text), &Offer { subprotocols: PROTOCOLS, deflate, origins })
}

fn accept_text(text: &str) -> Result<Accepted, Refusal> {
    accept_with(text, &Origins::new(["https://a.example"]), true)
}

fn code_of(text: &str) -> Code {
    accept_text(text).expect_err("this must be refused").code
}

fn extension_for(offer: &str) -> Option<String> {
    let text = format!("{GOOD}Sec-WebSocket-Extensions: {offer}\r\n");
    let headers = accept_text(&text).expect("extensions never refuse").headers();
    let value = headers.get(header::SEC_WEBSOCKET_EXTENSIONS)?;
    Some(value.to_str().expect("words").into())
}

#[test]
fn the_example_of_the_rfc_is_answered() {
    let mut out = Vec::new();
    accept_text(GOOD).expect("a good handshake").write(&mut out);
    let text = String::from_utf8(out).expect("a head is text");
    assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{text}");
    assert!(text.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n") && !text.contains("extensions"), "{text}");
}

#[test]
fn bad_handshakes_are_refused() {
    let with = |from: &str, to: &str| code_of(&GOOD.replace(from, to));
    assert_eq!(with("GET", "POST"), Code::MethodNotAllowed);
    assert_eq!(with("HTTP/1.1", "HTTP/1.0"), Code::RequestInvalid);
    assert_eq!(with("Upgrade: websocket", "Upgrade: h2c"), Code::UpgradeRequired);
    assert_eq!(with("keep-alive, Upgrade", "keep-alive"), Code::UpgradeRequired);
    for version in ["8", "14", "013", ""] {
        let line = format!("Version: {version}");
        assert_eq!(with("Version: 13", &line), Code::UpgradeRequired);
    }
    for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "!!!!IHNhbXBsZSBub25jZQ=="] {
        assert_eq!(with("dGhlIHNhbXBsZSBub25jZQ==", key), Code::RequestInvalid);
    }
    let refusal = accept_text(&GOOD.replace("13", "8")).expect_err("an old version");
    assert_eq!(refusal.code.http_status(), 426);
    assert_eq!(refusal_headers(&refusal)["sec-websocket-version"], "13");
}

#[test]
fn only_listed_pages_may_connect() {
    let from = |origin: &str| accept_text(&format!("{GOOD}Origin: {origin}\r\n"));
    assert!(from("https://a.example").is_ok());
    for origin in [
        "https://a.example.evil.org",
        "https://evil-a.example",
        "http://a.example",
        "https://a.example:8443",
        "null",
        "https://a.example, https://b.example",
        "",
    ] {
        let refusal = from(origin).expect_err("a strange page");
        assert_eq!((refusal.code, refusal.code.http_status()), (Code::OriginDenied, 403));
    }
    let two = format!("{GOOD}Origin: https://a.example\r\nOrigin: https://a.example\r\n");
    assert_eq!(code_of(&two), Code::OriginDenied);
}

#[test]
fn the_clients_first_known_subprotocol_is_taken() {
    let ask = |words: &str| accept_text(&format!("{GOOD}Sec-WebSocket-Protocol: {words}\r\n"));
    let protocol = |words| ask(words).expect("a known one").protocol;
    assert_eq!(protocol("martlet.v1.proto, martlet.v1.json"), Some("martlet.v1.proto"));
    assert_eq!(protocol("__proto__, ,martlet.v1.json"), Some("martlet.v1.json"));
    assert_eq!(accept_text(GOOD).expect("none asked for").protocol, None);
    assert_eq!(ask("mqtt").expect_err("unknown").code, Code::UnsupportedProtocol);
}

#[test]
fn compression_is_agreed_on_without_context() {
    let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let named = format!("{plain}; server_max_window_bits=15");
    assert_eq!(extension_for("permessage-deflate").as_deref(), Some(plain));
    assert_eq!(extension_for("permessage-deflate; client_max_window_bits").as_deref(), Some(plain));
    assert_eq!(
        extension_for("x, permessage-deflate;client_max_window_bits = \"10\"").as_deref(),
        Some(plain)
    );
    let wide = "permessage-deflate; server_max_window_bits=15";
    assert_eq!(extension_for(wide).as_deref(), Some(named.as_str()));
    let fallback = "permessage-deflate; server_max_window_bits=10, permessage-deflate";
    assert_eq!(extension_for(fallback).as_deref(), Some(plain));
    let off = accept_with(
        &format!("{GOOD}Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        &Origins::default(),
        false,
    );
    assert!(!off.expect("a good handshake").deflate());
}

#[test]
fn bad_offers_of_compression_are_declined() {
    for offer in [
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=99",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; __proto__",
        "permessage-deflate; \"client_max_window_bits; x",
        "x-webkit-deflate-frame",
        ";;;,,,",
    ] {
        assert_eq!(extension_for(offer), None, "{offer}");
    }
}

#[test]
fn long_lists_cost_linear_time() {
    for (name, unit) in [
        ("Sec-WebSocket-Extensions", "permessage-deflate;a=\"\\,"),
        ("Sec-WebSocket-Extensions", "a;b,"),
        ("Sec-WebSocket-Protocol", "a,"),
        ("Sec-WebSocket-Protocol", ",, "),
    ] {
        let text = format!("{GOOD}{name}: {}\r\n", unit.repeat(300_000 / unit.len()));
        let start = Instant::now();
        let _ = accept_text(&text);
        assert!(start.elapsed() < Duration::from_secs(2), "{name} {unit}");
    }
}
