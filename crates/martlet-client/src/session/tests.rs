//! The session on a virtual clock, spoken to in the words of the protocol page.

mod channels;
mod connecting;
mod model;
mod requests;
mod returning;
mod tokens;

use std::time::Duration;

use martlet_core::model::{ChannelName, UnixMillis};
use martlet_core::session::Start;
use martlet_core::time::{Instant, Now};
use serde_json::{Value, json};

use super::*;

pub const EPOCH: &str = "k3f9x2ab";
const CLIENT: &str = "0q3000000000a";
const SESSION: &str = "0000000000000000000000000k";
/// The server's clock is far from ours: nothing may depend on that.
const SERVER_TIME: u64 = 1_700_000_000_000;

/// A session with a clock that only moves when it is told to.
struct Bench {
    session: Session,
    now: Now,
}

fn settings() -> Settings {
    Settings {
        home: Address::parse("https://realtime.example.com").unwrap(),
        wire: Wire::Json,
        token: None,
        renewable: false,
        agent: "test/1".into(),
        backoff_min: Duration::from_millis(100),
        backoff_max: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(30),
        waiting: 8,
        waiting_bytes: 64 * 1024,
        take_offered: false,
    }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn from_now() -> Beginning {
    Beginning { start: Start::Now, token: None, renewable: false }
}

fn publication(channel: &str, offset: u64) -> String {
    let id = format!("{offset:026}");
    let body = json!({
        "channel": channel, "id": id, "epoch": EPOCH, "offset": offset, "time": 1, "data": offset
    });
    json!({ "publication": body }).to_string()
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let now = Now { instant: Instant(1_000_000), wall: UnixMillis(5) };
        Self { session: Session::new(settings, 7), now }
    }

    /// A session that has begun; what it dials with is given too.
    fn begun(settings: Settings) -> (Self, Value) {
        let mut bench = Self::new(settings);
        bench.session.start(bench.now);
        let dialed = bench.dialed();
        (bench, dialed)
    }

    /// A session that is connected.
    fn connected(settings: Settings) -> Self {
        let (mut bench, dialed) = Self::begun(settings);
        bench.let_in(&dialed);
        bench.outputs();
        bench
    }

    /// A connected session that follows `name` from offset 10 on.
    fn following(name: &str) -> Self {
        let mut bench = Self::connected(settings());
        bench.session.subscribe(channel(name), from_now()).unwrap();
        let id = bench.sent()[0]["id"].clone();
        bench.subscribed(&id, name, 10, 10);
        bench.outputs();
        bench
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }

    /// The first frame of the connection that is wanted now.
    fn dialed(&mut self) -> Value {
        let frames = self.outputs().into_iter().filter_map(|output| match output {
            Output::Dial(dial) => Some(serde_json::from_slice(&dial.first).unwrap()),
            _ => None,
        });
        let frames: Vec<Value> = frames.collect();
        let [frame] = &frames[..] else { panic!("dialled {} times", frames.len()) };
        frame.clone()
    }

    /// The commands of the next frame.
    fn sent(&mut self) -> Vec<Value> {
        let Some(frame) = self.session.poll_frame() else { return Vec::new() };
        let text = std::str::from_utf8(&frame).unwrap();
        text.split('\n').map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn tell(&mut self, frame: impl ToString) {
        self.session.handle_frame(self.now, frame.to_string().as_bytes());
    }

    fn let_in(&mut self, dialed: &Value) {
        self.let_in_with(dialed, json!({}));
    }

    fn let_in_with(&mut self, dialed: &Value, more: Value) {
        let mut body = json!({
            "client": CLIENT, "session": SESSION, "resumed": false, "grant": "g1.x",
            "ping": 25000, "pong": 10000, "time": SERVER_TIME, "frame_bytes": 65536
        });
        let fields = body.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        self.tell(json!({ "id": dialed["id"], "connected": body }));
    }

    fn subscribed(&mut self, id: &Value, channel: &str, offset: u64, head: u64) {
        let body = json!({
            "channel": channel, "epoch": EPOCH, "offset": offset, "head": head, "recovered": false
        });
        match id {
            Value::Null => self.tell(json!({ "subscribed": body })),
            id => self.tell(json!({ "id": id, "subscribed": body })),
        }
    }

    fn refuse(&mut self, id: &Value, code: Code, channel: Option<&str>) {
        let mut body = json!({
            "code": code.number(), "name": code.name(), "message": code.message(),
            "hint": code.hint(), "temporary": code.temporary()
        });
        if let Some(channel) = channel {
            body["channel"] = channel.into();
        }
        self.tell(json!({ "id": id, "error": body }));
    }

    fn close(&mut self, code: Code, after: Option<u64>) {
        let mut body = json!({
            "code": code.number(), "name": code.name(), "message": code.message(),
            "reconnect": code.temporary()
        });
        if let Some(after) = after {
            body["after"] = after.into();
        }
        self.tell(json!({ "close": body }));
    }

    /// The connection breaks off.
    fn lose(&mut self) {
        self.session.handle_closed(self.now, Error::Lost("cut".into()), Advice::None);
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant.after(time);
        self.session.handle_timeout(self.now);
    }

    /// Lets time pass up to the next thing the session waits for, and says how long that was.
    fn pass_to_deadline(&mut self) -> Duration {
        let deadline = self.session.poll_timeout().expect("the session waits for something");
        let wait = deadline.since(self.now.instant);
        self.pass(wait);
        wait
    }

    /// Loses the connection and waits until the next is dialled.
    fn come_back(&mut self) -> Value {
        self.lose();
        self.outputs();
        self.pass_to_deadline();
        self.dialed()
    }

    /// What the subscriptions are told, and nothing else.
    fn told(&mut self) -> Vec<SubscriptionEvent> {
        let told = self.outputs().into_iter().filter_map(|output| match output {
            Output::Event { event, .. } | Output::Ended { last: event, .. } => Some(event),
            _ => None,
        });
        told.collect()
    }

    /// The offsets of the publications that are told.
    fn offsets(&mut self) -> Vec<u64> {
        let told = self.told().into_iter().filter_map(|event| match event {
            SubscriptionEvent::Publication(publication) => Some(publication.position.offset),
            _ => None,
        });
        told.collect()
    }

    fn states(&mut self) -> Vec<State> {
        let states = self.outputs().into_iter().filter_map(|output| match output {
            Output::State(state) => Some(state),
            _ => None,
        });
        states.collect()
    }

    fn replies(&mut self) -> Vec<(Ticket, Result<Reply, Error>)> {
        let replies = self.outputs().into_iter().filter_map(|output| match output {
            Output::Reply(ticket, reply) => Some((ticket, reply)),
            _ => None,
        });
        replies.collect()
    }
}
