//! The server's side of one connection, in the hands of a test: what the client asked, and what
//! it is told. Dropping it cuts the connection.

use std::sync::atomic::{AtomicU64, Ordering};

use martlet_client::Code;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::server::PATIENCE;

pub const EPOCH: &str = "k3f9x2ab";

/// What goes down a connection.
#[derive(Debug)]
pub enum Down {
    Frame(String),
    /// Bytes as they are, for what no server should send.
    Raw(Vec<u8>),
    Close(u16, &'static str),
}

pub struct Peer {
    commands: mpsc::Receiver<Value>,
    down: mpsc::Sender<Down>,
    pub session: String,
}

impl Peer {
    pub fn new(commands: mpsc::Receiver<Value>, down: mpsc::Sender<Down>) -> Self {
        static SESSIONS: AtomicU64 = AtomicU64::new(1);
        let session = format!("{:026}", SESSIONS.fetch_add(1, Ordering::Relaxed));
        Self { commands, down, session }
    }

    /// The next command; `None` when the client has gone.
    pub async fn asked_or_gone(&mut self) -> Option<Value> {
        tokio::time::timeout(PATIENCE, self.commands.recv()).await.expect("a command")
    }

    /// The next command.
    pub async fn asked(&mut self) -> Value {
        self.asked_or_gone().await.expect("the client is there")
    }

    pub async fn say(&self, frame: impl ToString) {
        self.down.send(Down::Frame(frame.to_string())).await.expect("the client is there");
    }

    pub async fn say_raw(&self, bytes: impl Into<Vec<u8>>) {
        self.down.send(Down::Raw(bytes.into())).await.expect("the client is there");
    }

    pub async fn close(&self, code: u16, reason: &'static str) {
        self.down.send(Down::Close(code, reason)).await.expect("the client is there");
    }

    /// Takes the `connect` and lets the client in.
    pub async fn let_in(&mut self) -> Value {
        self.let_in_with(json!({})).await
    }

    /// The same with other words in `connected`.
    pub async fn let_in_with(&mut self, more: Value) -> Value {
        let connect = self.asked().await;
        let mut body = json!({
            "client": "0q3000000000a", "session": self.session, "resumed": false,
            "grant": "g1.x", "ping": 25000, "pong": 10000, "time": 1_700_000_000_000u64,
            "frame_bytes": 65536
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.say(json!({ "id": connect["id"], "connected": body })).await;
        connect
    }

    pub async fn subscribed(&self, id: &Value, channel: &str, offset: u64) {
        let body = json!({
            "channel": channel, "epoch": EPOCH, "offset": offset, "head": offset,
            "recovered": false
        });
        self.say(json!({ "id": id, "subscribed": body })).await;
    }

    /// Lets the client in and into all channels that its `connect` names, where it stands in
    /// them or at 0. Returns the `connect`.
    pub async fn let_into_all(&mut self) -> Value {
        let connect = self.let_in().await;
        for channel in connect["connect"]["subscribe"].as_array().unwrap() {
            let name = channel["channel"].as_str().unwrap();
            self.subscribed(&connect["id"], name, channel["offset"].as_u64().unwrap_or(0)).await;
        }
        connect
    }

    pub async fn publication(&self, channel: &str, offset: u64, data: impl Into<Value>) {
        self.say(publication(channel, offset, data)).await;
    }

    pub async fn refuse(&self, id: &Value, code: Code) {
        let body = json!({
            "code": code.number(), "name": code.name(), "message": code.message(),
            "hint": code.hint(), "temporary": code.temporary()
        });
        self.say(json!({ "id": id, "error": body })).await;
    }

    pub async fn published(&self, id: &Value, offset: u64, duplicate: bool) {
        let body = json!({
            "channel": "a", "id": format!("{offset:026}"), "epoch": EPOCH, "offset": offset,
            "time": 1, "duplicate": duplicate
        });
        self.say(json!({ "id": id, "published": body })).await;
    }
}

pub fn publication(channel: &str, offset: u64, data: impl Into<Value>) -> Value {
    json!({ "publication": {
        "channel": channel, "id": format!("{offset:026}"), "epoch": EPOCH, "offset": offset,
        "time": 1, "data": data.into()
    }})
}
