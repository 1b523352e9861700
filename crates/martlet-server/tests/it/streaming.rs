//! What streams begin with, how long they are, and who may have them.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Ask, Http};
use crate::node::{TestNode, soon};

/// A stream of HTTP/1.0, whose body is as it is, to its end.
async fn whole(node: &TestNode, path: &str) -> String {
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    soon("the end", socket.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// As much of a stream of HTTP/1.0 as it takes to see `end`.
async fn until(node: &TestNode, path: &str, end: &str) -> String {
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    socket.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&bytes).contains(end) {
            assert!(socket.read_buf(&mut bytes).await.unwrap() > 0, "it ended: {bytes:?}");
        }
    };
    soon(end, reading).await;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_stream_ends_after_its_limit_and_goes_on_from_its_last_cursor() {
    let node = TestNode::open(|_| {});
    node.backend().publish_all("a", 1, 300).await;
    let (mut last, mut cursor, mut streams) = (0, String::new(), 0);
    while last < 300 {
        let path = format!("/v1/stream?channel=a&since=1h&limit=4096&cursor={cursor}");
        // What is left at the end is shorter than a limit.
        let text = if last < 250 { whole(&node, &path).await } else { break };
        streams += 1;
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let lines: Vec<Value> = body.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        for line in &lines {
            if let Some(offset) = line["publication"]["offset"].as_u64() {
                assert_eq!(offset, last + 1);
                last = offset;
            }
            if let Some(text) = line["cursor"].as_str() {
                cursor = text.to_owned();
            }
        }
        let close = &lines.last().unwrap()["close"];
        assert_eq!((&close["code"], &close["after"]), (&Value::from(3009), &Value::from(0)));
    }
    assert!(streams >= 1, "{streams}");
}

#[tokio::test]
async fn a_stream_begins_with_as_much_filler_as_was_asked_for() {
    let node = TestNode::open(|_| {});
    let lines = until(&node, "/v1/stream?channel=a&padding=2048", "{\"cursor\"").await;
    assert!(lines.contains(&" ".repeat(2048)), "{lines}");
    let most = until(&node, "/v1/sse?channel=a&padding=99999", "id: ").await;
    assert!(most.contains(&format!(":{}\n", " ".repeat(8193))), "{most}");
    let page =
        until(&node, "/v1/htmlfile?callback=app.on&channel=a", "<script>m({\"cursor\"").await;
    assert!(page.contains("function m(e){parent.app.on(e)}"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
    let http = Http::new(&node);
    for bad in ["padding=x", "limit=-1", "limit=1.5"] {
        assert_eq!(http.get(&format!("/v1/stream?channel=a&{bad}")).await.refused(), (400, 1001));
    }
}

#[tokio::test]
async fn an_old_client_gets_a_body_as_it_is_to_the_end_of_the_connection() {
    let node = TestNode::open(|_| {});
    for (path, end) in [
        ("/v1/sse?channel=a", "id: "),
        ("/v1/stream?channel=a", "cursor"),
        ("/v1/htmlfile?callback=f&channel=a", "m({\"cursor"),
        ("/v1/multipart?channel=a", "Martlet-Cursor"),
    ] {
        let text = until(&node, path, end).await;
        assert!(text.starts_with("HTTP/1.0 200 OK\r\n"), "{text}");
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(head.contains("\r\nconnection: close"), "{head}");
        assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
    }
    for path in ["/v1/poll?channel=a", "/v1/jsonp?callback=f&channel=a"] {
        let text = whole(&node, path).await;
        assert!(text.starts_with("HTTP/1.0 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\ncontent-length: "), "{text}");
    }
}

#[tokio::test]
async fn parts_carry_bytes_as_what_they_are() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let image = r#"{"channel":"cam","bytes":"/9j/4A==","tags":{"content-type":"image/jpeg"}}"#;
    assert_eq!(http.ask(Ask::post("/v1/publish", image)).await.status, 200);
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    let request = "GET /v1/multipart?channel=cam&since=1h&replace=true HTTP/1.0\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let part = b"Content-Length: 4\r\n\r\n\xff\xd8\xff\xe0\r\n--martlet-";
    let reading = async {
        while !bytes.windows(part.len()).any(|window| window == part) {
            assert!(socket.read_buf(&mut bytes).await.unwrap() > 0, "it ended");
        }
    };
    soon("the picture", reading).await;
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("multipart/x-mixed-replace; boundary=martlet-"), "{text}");
    assert!(text.contains("Content-Type: image/jpeg\r\n"), "{text}");
    let native = "/v1/multipart?protocol=martlet.v1.json&connect=%7B%7D";
    assert_eq!(http.get(native).await.refused(), (400, 1010));
}

#[tokio::test]
async fn a_frame_is_told_why_it_was_refused() {
    let node = TestNode::configured("[channels.default]\nsubscribe = \"backend\"\n");
    for (http, name) in [(Http::new(&node), "a.b"), (Http::version(&node, true), "f")] {
        for (query, code) in [("channel=a", 1202), ("channel=%01", 1200), ("wrong=1", 1200)] {
            let answer = http.get(&format!("/v1/htmlfile?callback={name}&{query}")).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, "text/html; charset=utf-8")
            );
            let text = std::str::from_utf8(&answer.body).unwrap();
            assert!(text.contains(&format!("function m(e){{parent.{name}(e)}}")), "{text}");
            assert!(text.contains(&format!("<script>m({{\"error\":{{\"code\":{code},")), "{text}");
        }
        assert_eq!(http.get("/v1/htmlfile?callback=f(&channel=a").await.refused(), (400, 1016));
    }
}

#[tokio::test]
async fn a_strange_page_may_not_embed_a_stream() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    for path in [
        "/v1/htmlfile?callback=f&channel=a",
        "/v1/multipart?channel=a",
        "/v1/jsonp?callback=f&channel=a",
    ] {
        let strange = Ask::get(path).with("sec-fetch-site", "cross-site");
        assert_eq!(http.ask(strange).await.refused(), (403, 1109), "{path}");
        let silent = Ask::get(path).with("user-agent", "Mozilla/5.0 (compatible; MSIE 8.0)");
        assert_eq!(http.ask(silent).await.refused(), (403, 1109), "{path}");
    }
}
