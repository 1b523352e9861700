//! The backend API against a server that a test plays.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use martlet_client::{Api, ApiOptions, Code, Error, HistoryQuery, Message, Position, UnixMillis};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::peer::EPOCH;

/// A server that answers every request the same, and remembers what it was asked.
struct Played {
    url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    connections: Arc<AtomicUsize>,
}

impl Played {
    async fn start(status: StatusCode, answer: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen, count) = (asked.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (seen, answer) = (seen.clone(), answer.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, answer) = (seen.clone(), answer.clone());
                    async move {
                        let asked = note(request).await;
                        seen.lock().unwrap().push(asked);
                        let body = Full::new(Bytes::from(answer.to_string()));
                        let response = Response::builder().status(status).body(body).unwrap();
                        Ok::<_, Infallible>(response)
                    }
                });
                let io = TokioIo::new(socket);
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(async move { http.serve_connection(io, service).await });
            }
        });
        Self { url, asked, connections }
    }

    fn api(&self) -> Api {
        Api::new(&self.url, Some("secret")).unwrap()
    }

    fn asked(&self) -> (String, Value) {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

async fn note(request: Request<Incoming>) -> (String, Value) {
    assert_eq!(request.headers()["authorization"], "Bearer secret");
    let line = format!("{} {}", request.method(), request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    (line, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn receipt(offset: u64) -> Value {
    json!({
        "channel": "a", "id": format!("{offset:026}"), "epoch": EPOCH, "offset": offset, "time": 5
    })
}

#[tokio::test]
async fn publish_sends_everything_and_keeps_its_connection() {
    let server = Played::start(StatusCode::OK, receipt(7)).await;
    let api = server.api();
    let message = Message::json(&json!({"a": [1]})).unwrap();
    let message = message.name("n").reference("r").tag("t", "v").key("k");
    for _ in 0..3 {
        let appended = api.publish("a", message.clone()).await.unwrap();
        assert_eq!((appended.position.offset, appended.time), (7, UnixMillis(5)));
    }
    let (line, body) = server.asked();
    assert_eq!(line, "POST /v1/publish");
    assert_eq!(
        body,
        json!({
            "channel": "a", "data": {"a": [1]}, "name": "n", "ref": "r", "tags": {"t": "v"}, "key": "k"
        })
    );
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    api.publish("a", Message::bytes(vec![1, 2])).await.unwrap();
    assert_eq!(server.asked().1, json!({"channel": "a", "bytes": "AQI="}));
}

#[tokio::test]
async fn batch_and_broadcast_have_a_result_for_each() {
    let denied = json!({"error": {
        "code": 1203, "name": "publish_denied", "message": "No.", "hint": "Ask."
    }});
    let results = json!({"results": [receipt(1), denied]});
    let server = Played::start(StatusCode::OK, results).await;
    let one = || Message::json(&1).unwrap();
    let results = server.api().batch(vec![("a", one()), ("b", one())]).await.unwrap();
    assert_eq!(
        server.asked().1,
        json!({"publish": [
            {"channel": "a", "data": 1}, {"channel": "b", "data": 1}
        ]})
    );
    assert_eq!(results[0].as_ref().unwrap().position.offset, 1);
    let error = results[1].as_ref().unwrap_err();
    assert_eq!((error.code(), error.hint()), (Some(Code::PublishDenied), "Ask."));

    server.api().broadcast(&["a", "b"], one()).await.unwrap();
    assert_eq!(server.asked().1, json!({"channels": ["a", "b"], "data": 1}));
    let short = server.api().broadcast(&["a"], one()).await;
    assert!(matches!(short, Err(Error::Foreign(_))), "two results for one channel: {short:?}");
}

#[tokio::test]
async fn history_is_asked_by_cursor_time_and_limit() {
    let page = json!({
        "channel": "room:1/ä", "epoch": EPOCH, "offset": 9, "more": false,
        "publications": [
            {"id": format!("{:026}", 9), "epoch": EPOCH, "offset": 9, "time": 1, "data": "x"}
        ]
    });
    let server = Played::start(StatusCode::OK, page).await;
    let epoch = martlet_client::Epoch::parse(EPOCH).unwrap();
    let position = Some(Position { epoch, offset: 3 });
    let query = HistoryQuery { position, limit: 2, ..HistoryQuery::default() };
    let page = server.api().history("room:1/ä", query).await.unwrap();
    assert_eq!(page.publications[0].position.offset, 9);
    assert_eq!(
        server.asked().0,
        concat!(
            "GET /v1/channels/room:1%2F%C3%A4/history?limit=2&reverse=false",
            "&cursor=3.k3f9x2ab.room:1%252f%25c3%25a4"
        )
    );
    let query = HistoryQuery { since: Some(UnixMillis(5)), ..HistoryQuery::newest(1) };
    server.api().history("a", query).await.unwrap();
    assert_eq!(server.asked().0, "GET /v1/channels/a/history?limit=1&reverse=true&since=5");
}

#[tokio::test]
async fn presence_and_channels_are_read() {
    let answer = json!({
        "channel": "a", "members": [{"client": "0q3000000000a", "user": "ann"}], "count": 4
    });
    let server = Played::start(StatusCode::OK, answer).await;
    let (members, count) = server.api().presence("a").await.unwrap();
    assert_eq!((members.len(), count), (1, 4));
    assert_eq!(server.asked().0, "GET /v1/channels/a/presence");

    let answer = json!({"more": true, "channels": [
        {"channel": "a", "epoch": EPOCH, "offset": 3, "subscribers": 2, "members": 1}
    ]});
    let server = Played::start(StatusCode::OK, answer).await;
    let channels = server.api().channels("a&b", 5).await.unwrap();
    assert_eq!((channels.channels[0].subscribers, channels.more), (2, true));
    assert_eq!(server.asked().0, "GET /v1/channels?prefix=a%26b&limit=5");
}

#[tokio::test]
async fn errors_keep_their_words() {
    let answer = json!({
        "code": 1304, "name": "rate_limited", "message": "Slow down.", "hint": "Wait.", "after": 350
    });
    let server = Played::start(StatusCode::TOO_MANY_REQUESTS, answer).await;
    let Err(Error::Refused(refused)) = server.api().presence("a").await else { panic!() };
    assert_eq!((refused.code, refused.name.as_str()), (1304, "rate_limited"));
    assert_eq!(refused.after, Some(Duration::from_millis(350)));
    assert!(refused.temporary);

    let server = Played::start(StatusCode::BAD_GATEWAY, json!("proxy")).await;
    assert!(matches!(server.api().presence("a").await, Err(Error::Foreign(_))));
    let server = Played::start(StatusCode::OK, json!({"hello": 1})).await;
    assert!(matches!(server.api().presence("a").await, Err(Error::Foreign(_))));
}

#[tokio::test]
async fn what_takes_too_long_or_is_too_large_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = ApiOptions { timeout: Duration::from_millis(50), ..ApiOptions::default() };
    let api = Api::with(&url, None, options).unwrap();
    assert!(matches!(api.presence("a").await, Err(Error::Timeout(_))));

    let server = Played::start(StatusCode::OK, json!("x".repeat(2_000))).await;
    let options = ApiOptions { answer_bytes: 1_000, ..ApiOptions::default() };
    let api = Api::with(&server.url, Some("secret"), options).unwrap();
    assert!(matches!(api.presence("a").await, Err(Error::Lost(_))));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_here() {
    let api = Api::new("http://127.0.0.1:9", None).unwrap();
    let message = || Message::json(&1).unwrap();
    assert!(matches!(api.publish("", message()).await, Err(Error::Channel(_))));
    assert!(matches!(api.publish("a b", message()).await, Err(Error::Channel(_))));
    assert!(matches!(api.publish("a", message()).await, Err(Error::Unreachable { .. })));
    assert!(Api::new("http://127.0.0.1:9", Some("two\nlines")).is_err());
    assert!(!format!("{:?}", Api::new("http://127.0.0.1:9", Some("secret"))).contains("secret"));
}
