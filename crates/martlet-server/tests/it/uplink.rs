//! The way up of native streams: a request for each frame, on whatever connection and worker it
//! comes, answered down the stream.

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Ask, Http};
use crate::node::{TestNode, soon};
use crate::talk::Talk;

/// A native stream over HTTP/1.1, read as text.
struct Down {
    socket: TcpStream,
    text: String,
    read: usize,
}

impl Down {
    async fn open(node: &TestNode, request: String) -> Self {
        let mut socket = TcpStream::connect(node.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        Self { socket, text: String::new(), read: 0 }
    }

    /// The next event in a `data:` line.
    async fn next(&mut self) -> Value {
        soon("an event", async {
            loop {
                let rest = &self.text[self.read..];
                if let Some((line, _)) = rest.split_once('\n') {
                    self.read += line.len() + 1;
                    if let Some(data) = line.strip_prefix("data: ") {
                        return serde_json::from_str(data).unwrap();
                    }
                    continue;
                }
                let mut bytes = vec![0; 4096];
                let count = self.socket.read(&mut bytes).await.unwrap();
                assert!(count > 0, "the stream ended after {:?}", self.text);
                self.text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
        })
        .await
    }
}

const PATH: &str = "/v1/sse?protocol=martlet.v1.json";

fn post(frame: &str) -> String {
    let length = frame.len();
    format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{frame}")
}

/// A connected stream, and the address of its uplink.
async fn connected(node: &TestNode) -> (Down, String) {
    let mut down = Down::open(node, post(r#"{"id":1,"connect":{}}"#)).await;
    let connected = down.next().await;
    let key = connected["connected"]["session"].as_str().unwrap();
    (down, format!("/v1/send?session={key}"))
}

#[tokio::test]
async fn frames_go_up_by_requests_and_answers_come_down() {
    let node = TestNode::open(|_| {});
    let (mut down, send) = connected(&node).await;
    // Each of these comes on a connection of its own, so on every worker.
    for n in 2..8 {
        let http = Http::version(&node, n % 2 == 0);
        let frame = format!("{{\"id\":{n},\"ping\":{{}}}}\n{{\"id\":{},\"ping\":{{}}}}", n + 10);
        assert_eq!(http.ask(Ask::post(&send, frame)).await.status, 204);
        assert_eq!(down.next().await["id"], n);
        assert_eq!(down.next().await["id"], n + 10);
    }
}

/// Others see who goes for good go at once, and who merely lost its connection only after a while.
#[tokio::test]
async fn who_leaves_is_a_member_no_more() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    let begin = r#"{"id":1,"connect":{"subscribe":[{"channel":"a"}]}}"#;
    for polled in [false, true] {
        let (mut stay, _) = Talk::connected(&node, json!({"subscribe": [{"channel": "a"}]})).await;
        stay.wait_for("join").await;
        let mut down = None;
        let key = if polled {
            let answer = http.ask(Ask::post("/v1/poll?protocol=martlet.v1.json", begin)).await;
            let first = answer.body.split(|byte| *byte == b'\n').next().unwrap();
            let connected: Value = serde_json::from_slice(first).unwrap();
            connected["connected"]["session"].as_str().unwrap().to_owned()
        } else {
            let stream = down.insert(Down::open(&node, post(begin)).await);
            stream.next().await["connected"]["session"].as_str().unwrap().to_owned()
        };
        stay.wait_for("join").await;
        let publish = r#"{"id":2,"publish":{"channel":"a","data":"bye"}}"#;
        let leave = format!("/v1/send?session={key}&leave=true");
        assert_eq!(http.ask(Ask::post(&leave, publish)).await.status, 204);
        // What it said last is kept by the store, which may take longer than going.
        let (mut said, mut left) = (false, false);
        while !said || !left {
            let event = stay.next().await;
            said |= event["publication"]["data"] == "bye";
            left |= event["leave"].is_object();
        }
        assert_eq!(http.ask(Ask::post(&leave, "")).await.status, 204, "it has left");
    }
}

#[tokio::test]
async fn a_stream_may_begin_by_get() {
    let node = TestNode::open(|_| {});
    let frame = "%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D";
    let request = format!("GET {PATH}&connect={frame} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut down = Down::open(&node, request).await;
    assert_eq!(down.next().await["id"], 1);
    let http = Http::new(&node);
    assert_eq!(http.get(PATH).await.refused(), (400, 1001));
    assert_eq!(http.get("/v1/sse?protocol=mqtt").await.refused(), (400, 1010));
}

#[tokio::test]
async fn a_frame_for_nobody_is_refused() {
    let node = TestNode::open(|_| {});
    let (down, send) = connected(&node).await;
    let http = Http::new(&node);
    let ping = r#"{"id":2,"ping":{}}"#;
    let unknown = "/v1/send?session=".to_owned() + &"0".repeat(26);
    let foreign = "/v1/send?session=".to_owned() + &"z".repeat(26);
    for path in ["/v1/send", "/v1/send?session=x", &unknown, &foreign] {
        assert_eq!(http.ask(Ask::post(path, ping)).await.refused(), (404, 1009), "{path}");
    }
    let huge = "x".repeat(65 * 1024);
    assert_eq!(http.ask(Ask::post(&send, huge)).await.refused(), (413, 1005));
    assert_eq!(http.ask(Ask::new(Method::GET, &send)).await.refused(), (405, 1008));
    drop(down);
    let gone = async {
        while http.ask(Ask::post(&send, ping)).await.status == 204 {
            tokio::task::yield_now().await;
        }
    };
    soon("the end of the session's stream", gone).await;
    assert_eq!(http.ask(Ask::post(&send, ping)).await.refused(), (404, 1009));
}

#[tokio::test]
async fn a_frame_that_is_none_ends_the_stream_with_its_reason() {
    let node = TestNode::open(|_| {});
    let mut at_once = Down::open(&node, post("nonsense")).await;
    let close = at_once.next().await["close"].clone();
    assert_eq!((&close["code"], &close["reconnect"]), (&json!(3500), &json!(false)));
    let (mut down, send) = connected(&node).await;
    assert_eq!(Http::new(&node).ask(Ask::post(&send, "nonsense")).await.status, 204);
    assert_eq!(down.next().await["close"]["code"], 3500);
}

#[tokio::test]
async fn a_resumed_stream_replaces_the_older_one() {
    let node = TestNode::open(|_| {});
    let mut old = Down::open(&node, post(r#"{"id":1,"connect":{}}"#)).await;
    let first = old.next().await["connected"].clone();
    let back = json!({"id": 1, "connect": {"grant": first["grant"], "session": first["session"]}});
    let mut new = Down::open(&node, post(&back.to_string())).await;
    let again = new.next().await["connected"].clone();
    assert_eq!((&again["resumed"], &again["client"]), (&json!(true), &first["client"]));
    assert_eq!(old.next().await["close"]["code"], 3004);
}
