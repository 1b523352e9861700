//! What HTTP itself asks for: origins, methods, connections that are kept, and both versions.

use std::net::SocketAddr;

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Answer, Ask, Http};
use crate::node::{TestNode, soon};

const FRIEND: &str = "https://friend.example";
const STRANGER: &str = "https://stranger.example";

fn node() -> TestNode {
    TestNode::open(|options| options.server.origins = vec![FRIEND.into()])
}

/// Sends bytes and gives all that comes until `enough` says so or the other side ends.
async fn exchange(address: SocketAddr, request: &str, enough: impl Fn(&str) -> bool) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    soon("an answer", async {
        while !enough(&String::from_utf8_lossy(&bytes)) {
            if socket.read_buf(&mut bytes).await.unwrap() == 0 {
                break;
            }
        }
    })
    .await;
    String::from_utf8(bytes).unwrap()
}

fn handshake(address: SocketAddr, more: &str) -> String {
    format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

fn head_ended(text: &str) -> bool {
    text.contains("\r\n\r\n")
}

#[tokio::test]
async fn pages_of_strangers_are_refused_everywhere() {
    let node = node();
    for http2 in [false, true] {
        let http = Http::version(&node, http2);
        for path in ["/v1/sse?channel=a", "/v1/channels", "/health", "/"] {
            let answer = http.ask(Ask::get(path).with("origin", STRANGER)).await;
            assert_eq!(answer.refused(), (403, 1109), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "");
            assert_eq!(answer.header("vary"), "origin");
        }
        let publish = Ask::post("/v1/publish", r#"{"channel":"a","data":1}"#);
        let answer = http.ask(publish.with("origin", STRANGER)).await;
        assert_eq!(answer.refused(), (403, 1109));
    }
    let request = handshake(node.address, &format!("Origin: {STRANGER}\r\n"));
    let answer = exchange(node.address, &request, |text| text.ends_with('}')).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("\"code\":1109"), "{answer}");
    let history = Http::new(&node).get("/v1/channels/a/history").await.good();
    assert_eq!(history["offset"], 0, "the stranger published nothing");
}

#[tokio::test]
async fn pages_of_friends_and_of_the_server_itself_are_let_in() {
    let node = node();
    let own = node.url();
    for origin in [FRIEND, &own] {
        for http2 in [false, true] {
            let http = Http::version(&node, http2);
            let answer = http.ask(Ask::get("/v1/channels").with("origin", origin)).await;
            answer.good();
            assert_eq!(answer.header("access-control-allow-origin"), origin);
            assert_eq!(answer.header("vary"), "origin");
        }
        let request = handshake(node.address, &format!("Origin: {origin}\r\n"));
        let answer = exchange(node.address, &request, head_ended).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let request = format!(
            "GET /v1/sse?channel=a HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\n\r\n",
            node.address
        );
        let answer = exchange(node.address, &request, head_ended).await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        assert!(answer.contains(&format!("access-control-allow-origin: {origin}\r\n")), "{answer}");
    }
}

#[tokio::test]
async fn browsers_are_told_before_what_they_may_send() {
    let node = node();
    let preflight = |path, origin| {
        Ask::new(Method::OPTIONS, path)
            .with("origin", origin)
            .with("access-control-request-method", "POST")
            .with("access-control-request-headers", "content-type,authorization")
    };
    for http2 in [false, true] {
        let http = Http::version(&node, http2);
        for path in ["/v1/publish", "/v1/sse", "/v1/send"] {
            let answer = http.ask(preflight(path, FRIEND)).await;
            assert_eq!(answer.status, 204, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), FRIEND);
            for header in ["authorization", "content-type", "last-event-id", "idempotency-key"] {
                let allowed = answer.header("access-control-allow-headers");
                assert!(allowed.contains(header), "{allowed}");
            }
            assert!(answer.header("access-control-allow-methods").contains("POST"));
            let answer = http.ask(preflight(path, STRANGER)).await;
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let node = node();
    for http2 in [false, true] {
        let http = Http::version(&node, http2);
        for path in ["/", "/health", "/v1/channels", "/v1/openapi.json"] {
            let (head, get): (Answer, Answer) =
                (http.ask(Ask::new(Method::HEAD, path)).await, http.get(path).await);
            assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"));
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let node = node();
    let http = Http::new(&node);
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/channels/", "/v2/publish", "/v1/channels/a/b/c"]
    {
        assert_eq!(http.get(path).await.refused(), (404, 1007), "{path}");
    }
    let answer = http.ask(Ask::new(Method::OPTIONS, "/v1/publish")).await;
    assert_eq!(answer.refused(), (405, 1008), "no page asks");
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_then_a_stream() {
    let node = node();
    let body = r#"{"channel":"a","data":1}"#;
    let publish = format!(
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let stream = "GET /v1/sse?channel=a&since=1h HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let all = [publish.as_str(), &publish, stream].concat();
    let answer = exchange(node.address, &all, |text| text.matches("data: 1").count() == 2).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    let pieces = ["\"offset\":1", "\"offset\":2", "text/event-stream", "\nid: 1.", "\nid: 2."];
    let places: Vec<_> = pieces.iter().map(|piece| answer.find(piece).expect(piece)).collect();
    assert!(places.is_sorted(), "{answer}");
}

#[tokio::test]
async fn a_connection_that_was_kept_becomes_a_websocket() {
    let node = node();
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let upgrade = handshake(node.address, "Sec-WebSocket-Protocol: martlet.v1.json\r\n");
    let connect = r#"{"id":1,"connect":{}}"#;
    let mut frame = vec![0x81, 0x80 | connect.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(connect.as_bytes());
    let request = format!("{health}{upgrade}");
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    socket.write_all(&[request.as_bytes(), &frame].concat()).await.unwrap();
    let mut bytes = Vec::new();
    soon("what was asked", async {
        while !String::from_utf8_lossy(&bytes).contains("\"connected\"") {
            assert!(socket.read_buf(&mut bytes).await.unwrap() > 0, "{bytes:?}");
        }
    })
    .await;
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\"status\":\"ok\"") && text.contains("HTTP/1.1 101 "), "{text}");
}

#[tokio::test]
async fn http2_carries_many_at_once() {
    let node = node();
    let http = Http::version(&node, true);
    let asks = (0..60).map(|n| {
        let http = http.clone();
        async move {
            let body = json!({"channel": format!("c{}", n % 3), "data": n});
            http.post("/v1/publish", &body).await.good()
        }
    });
    let receipts = futures_util::future::join_all(asks).await;
    let mut offsets: Vec<_> =
        receipts.iter().map(|it| (it["channel"].to_string(), it["offset"].as_u64())).collect();
    offsets.sort();
    offsets.dedup();
    assert_eq!(offsets.len(), 60, "each has an offset of its own");
}

#[tokio::test]
async fn http_1_0_gets_a_stream_that_ends_with_the_connection() {
    let node = node();
    node.backend().publish_all("a", 1, 2).await;
    let request = "GET /v1/sse?channel=a&since=1h HTTP/1.0\r\n\r\n";
    let answer = exchange(node.address, request, |text| text.contains("\nid: 2.")).await;
    let lower = answer.to_ascii_lowercase();
    assert!(lower.starts_with("http/1.") && lower.contains(" 200 ok"), "{answer}");
    assert!(!lower.contains("transfer-encoding"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with("retry: "), "no chunk sizes: {body:?}");
}

#[tokio::test]
async fn in_development_a_foreign_name_for_this_machine_is_refused() {
    let node = TestNode::open(|_| {});
    for path in ["/v1/sse?channel=a", "/v1/ws", "/v1/channels", "/"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: pointed.example\r\n\r\n");
        let answer = exchange(node.address, &request, |text| text.ends_with('}')).await;
        let refused = answer.starts_with("HTTP/1.1 403 ") || path == "/v1/ws";
        assert!(refused && !answer.contains("text/event-stream"), "{path}: {answer}");
    }
    let named = handshake(node.address, "").replace(&node.address.to_string(), "pointed.example");
    let answer = exchange(node.address, &named, |text| text.ends_with('}')).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}
