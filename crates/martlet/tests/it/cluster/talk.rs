//! A conversation in `martlet.v1.json`, command by command: a session on one node that polls, and
//! whose commands go by requests to whichever node.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::Ask;
use super::process::PATIENCE;

/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// A session.
pub struct Talk {
    /// What `connected` said.
    pub connected: Value,
    events: VecDeque<Value>,
    batch: u64,
}

impl Talk {
    /// A session on this node, which says `connect`.
    pub async fn connect(at: SocketAddr, connect: Value) -> Self {
        let first = json!({"id": 1, "connect": connect}).to_string();
        let ask = Ask::post("/v1/poll?protocol=martlet.v1.json", &first);
        let (status, body) = ask.whole(at, ANSWER).await.unwrap();
        assert_eq!(status, 200, "{body}");
        let mut talk = Self { connected: Value::Null, events: VecDeque::new(), batch: 0 };
        talk.take(&body);
        let connected = talk.events.pop_front().unwrap();
        assert!(connected["connected"].is_object(), "{connected}");
        talk.connected = connected["connected"].clone();
        talk
    }

    pub fn session(&self) -> &str {
        self.connected["session"].as_str().unwrap()
    }

    pub fn client(&self) -> &str {
        self.connected["client"].as_str().unwrap()
    }

    fn take(&mut self, body: &str) {
        for line in body.lines().filter(|line| !line.is_empty()) {
            let event: Value = serde_json::from_str(line).unwrap();
            match event["batch"].as_u64() {
                Some(batch) => self.batch = batch,
                None => self.events.push_back(event),
            }
        }
    }

    /// Polls once, at this node; gives the status, or 0 if nothing was answered.
    pub async fn poll(&mut self, at: SocketAddr, wait: u64) -> u16 {
        let (session, batch) = (self.session(), self.batch);
        let path = format!("/v1/poll?session={session}&batch={batch}&wait={wait}");
        let polled = Ask::get(&path).whole(at, ANSWER).await;
        let (status, body) = polled.unwrap_or((0, String::new()));
        if status == 200 {
            self.take(&body);
        }
        status
    }

    /// Sends a command by this node.
    pub async fn send(&self, at: SocketAddr, command: &Value) -> u16 {
        let path = format!("/v1/send?session={}", self.session());
        let body = command.to_string();
        Ask::post(&path, &body).whole(at, ANSWER).await.unwrap().0
    }

    /// The next event that has this field, polling at one node after the other.
    pub async fn next(&mut self, nodes: &[SocketAddr], kind: &str) -> Value {
        let begun = Instant::now();
        for node in nodes.iter().cycle() {
            while let Some(event) = self.events.pop_front() {
                if let Some(body) = event.get(kind) {
                    return body.clone();
                }
            }
            assert!(begun.elapsed() < PATIENCE, "no {kind}");
            let status = self.poll(*node, 1).await;
            assert!(matches!(status, 200 | 204), "{status} instead of {kind}");
        }
        unreachable!("there are nodes");
    }

    /// Polls for as long as there is a session; puts the clients who left into a list.
    pub async fn keep(mut self, at: SocketAddr, left: Arc<Mutex<Vec<String>>>) {
        while matches!(self.poll(at, 1).await, 200 | 204) {
            let events = self.events.drain(..);
            let leaves =
                events.filter_map(|event| event["leave"]["client"].as_str().map(Into::into));
            left.lock().unwrap().extend(leaves);
        }
    }

    /// Everything of this kind that has come and has not been taken.
    pub fn came(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event.get(kind).is_some()).count()
    }
}
