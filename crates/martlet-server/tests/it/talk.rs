//! A conversation in `martlet.v1.json` over WebSocket, command by command, as JSON.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use martlet_client::UnixMillis;
use martlet_core::model::SessionKey;
use martlet_server::identity::Signer;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::node::{TestNode, soon};

/// The secret of the tokens of these tests.
pub const SECRET: &str = "a secret that nobody but these tests knows";

/// One side of a conversation.
pub struct Talk {
    socket: WebSocketStream<TcpStream>,
    events: VecDeque<Value>,
    /// Pings of the server that came.
    pub pings: usize,
    /// Whether it answers them.
    pub answers: bool,
}

impl Talk {
    /// A connection on which nothing was said yet.
    pub async fn open(node: &TestNode) -> Self {
        let mut request = format!("ws://{}/v1/ws", node.address).into_client_request().unwrap();
        let protocol = "martlet.v1.json".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let socket = TcpStream::connect(node.address).await.unwrap();
        let opening = tokio_tungstenite::client_async(request, socket);
        let (socket, _) = soon("a handshake", opening).await.unwrap();
        Self { socket, events: VecDeque::new(), pings: 0, answers: true }
    }

    /// A connection that has said `connect`, and what was answered.
    pub async fn connected(node: &TestNode, connect: Value) -> (Self, Value) {
        let mut talk = Self::open(node).await;
        let connected = talk.ask("connect", connect).await;
        assert!(connected["connected"].is_object(), "{connected}");
        (talk, connected["connected"].clone())
    }

    /// Sends commands in one frame.
    pub async fn send(&mut self, commands: &[Value]) {
        let lines: Vec<_> = commands.iter().map(Value::to_string).collect();
        soon("room", self.socket.send(Message::text(lines.join("\n")))).await.unwrap();
    }

    /// Sends a command; gives the answer to it, and keeps what comes before.
    pub async fn ask(&mut self, command: &str, body: Value) -> Value {
        self.send(&[json!({"id": 77, command: body})]).await;
        let mut before = VecDeque::new();
        let answer = loop {
            let event = self.next().await;
            if event["id"] == 77 {
                break event;
            }
            assert!(event.get("ended").is_none(), "it ended before {command} was answered");
            before.push_back(event);
        };
        before.append(&mut self.events);
        self.events = before;
        answer
    }

    /// The code of the refusal of a command.
    pub async fn refusal(&mut self, command: &str, body: Value) -> u64 {
        let answer = self.ask(command, body).await;
        answer["error"]["code"].as_u64().unwrap_or_else(|| panic!("{command}: {answer}"))
    }

    /// The next event; pings are answered and counted. The end is an event too: `ended`, with the
    /// code of the close frame.
    pub async fn next(&mut self) -> Value {
        soon("an event", async {
            loop {
                if let Some(event) = self.events.pop_front() {
                    if event.get("ping").is_none() {
                        return event;
                    }
                    self.pings += 1;
                    if self.answers {
                        self.send_quietly(json!({"pong": {}})).await;
                    }
                    continue;
                }
                if let Some(end) = self.take_in().await {
                    return json!({"ended": end});
                }
            }
        })
        .await
    }

    /// The next event of one kind; others before it are passed over.
    pub async fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await;
            if let Some(body) = event.get(kind) {
                return body.clone();
            }
            assert!(event.get("ended").is_none(), "it ended without {kind}");
        }
    }

    /// Everything that has come by the time that the server answers a ping.
    pub async fn so_far(&mut self) -> Vec<Value> {
        self.ask("ping", json!({})).await;
        self.events.drain(..).collect()
    }

    /// Expects the end: the event, and the close frame of the same code.
    pub async fn closed(&mut self) -> Value {
        let close = self.wait_for("close").await;
        assert_eq!(self.next().await, json!({"ended": close["code"]}));
        close
    }

    /// Says goodbye as a client that goes for good.
    pub async fn leave(mut self) {
        soon("the end", self.socket.close(None)).await.unwrap();
        while soon("the end", self.socket.next()).await.is_some_and(|more| more.is_ok()) {}
    }

    /// Sends what need not arrive.
    async fn send_quietly(&mut self, command: Value) {
        let _ = self.socket.send(Message::text(command.to_string())).await;
    }

    async fn take_in(&mut self) -> Option<u16> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let events = text.split('\n').map(|line| serde_json::from_str(line).unwrap());
                self.events.extend(events);
                None
            }
            Some(Ok(Message::Close(Some(close)))) => Some(close.code.into()),
            Some(Ok(_)) => None,
            Some(Err(_)) | None => Some(0),
        }
    }
}

/// A token that says `claims`.
pub fn token(claims: Value) -> String {
    let Value::Object(claims) = claims else { panic!("{claims}") };
    Signer::secret(SECRET).sign(&claims, None).unwrap()
}

/// Seconds since 1970, `seconds` from now.
pub fn in_seconds(seconds: f64) -> f64 {
    now().0 as f64 / 1_000.0 + seconds
}

/// What the clock says.
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis(since.as_millis() as u64)
}

/// The worker that holds a session.
pub fn worker_of(connected: &Value) -> u16 {
    SessionKey::parse(connected["session"].as_str().unwrap()).unwrap().worker()
}
