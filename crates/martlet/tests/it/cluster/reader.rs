//! Clients that follow a channel by one way for as long as the test lasts, come back by themselves
//! with their cursor, and note what they are told. A restless one comes back all the time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use martlet_client::{Client, Cursor, Options, SubscribeOptions, SubscriptionEvent};
use martlet_client::{Position, Publication, Transport, Wire};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::counter::Accepted;
use super::http::{Ask, Held};
use super::notes::Notes;
use super::process::until;

mod polls;

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The Rust client over WebSocket, in JSON.
    WebSocket,
    /// The same in Protobuf.
    Protobuf,
    /// The Rust client over server-sent events.
    Events,
    /// `EventSource`, with its last id.
    PlainEvents,
    /// Lines.
    Stream,
    /// Long polls that know only their cursor.
    PlainPolls,
    /// The same as scripts.
    Jsonp,
    /// A session that polls.
    Polls,
}

impl Way {
    pub const ALL: [Self; 8] = [
        Self::WebSocket,
        Self::Protobuf,
        Self::Events,
        Self::PlainEvents,
        Self::Stream,
        Self::PlainPolls,
        Self::Jsonp,
        Self::Polls,
    ];
}

/// How long a restless reader stays on a connection.
const STAY: Duration = Duration::from_millis(400);

/// The pause before coming back.
const PAUSE: Duration = Duration::from_millis(50);

/// After how long a silence a stream counts as lost. Signs of life come every second.
const SILENCE: Duration = Duration::from_secs(4);

/// Readers of a channel.
#[derive(Clone)]
pub struct Readers {
    at: SocketAddr,
    channel: String,
    pub notes: Vec<Arc<Notes>>,
    /// Whether the readers that sleep are asleep.
    asleep: Arc<AtomicBool>,
}

impl Readers {
    /// None yet, of a channel at this address.
    pub fn at(at: SocketAddr, channel: &str) -> Self {
        Self { at, channel: channel.to_owned(), notes: Vec::new(), asleep: Arc::default() }
    }

    /// One for each way that stays where it is, and restless ones for two; when this returns, all
    /// follow the channel.
    pub async fn of_all_ways(at: SocketAddr, channel: &str) -> Self {
        let mut readers = Self::at(at, channel);
        Way::ALL.into_iter().for_each(|way| readers.begin(way, false));
        readers.begin(Way::WebSocket, true);
        readers.begin(Way::PlainEvents, true);
        readers.follow().await;
        readers
    }

    /// One more.
    pub fn begin(&mut self, way: Way, restless: bool) {
        let name = format!("{}{way:?}", if restless { "restless " } else { "" });
        let stay = if restless { STAY } else { Duration::from_secs(3_600) };
        self.begin_as(name, way, stay, Arc::default());
    }

    /// One that polls, and misses what comes while it sleeps.
    pub fn begin_sleeper(&mut self) {
        let asleep = Arc::clone(&self.asleep);
        self.begin_as("sleeper".into(), Way::PlainPolls, STAY, asleep);
    }

    fn begin_as(&mut self, name: String, way: Way, stay: Duration, asleep: Arc<AtomicBool>) {
        let notes = Arc::new(Notes::new(name));
        self.notes.push(Arc::clone(&notes));
        let channel = self.channel.clone();
        let reader = Reader { at: self.at, channel, way, stay, notes, asleep };
        tokio::spawn(reader.read());
    }

    /// Those that sleep fall asleep after their next answer, or wake.
    pub fn sleep(&self, asleep: bool) {
        self.asleep.store(asleep, Ordering::Relaxed);
    }

    /// Waits until all follow.
    pub async fn follow(&self) {
        for notes in &self.notes {
            let what = format!("{} follows", notes.name);
            until(&what, async || notes.began().is_some()).await;
        }
    }

    /// Waits until all have the last of these.
    pub async fn have(&self, accepted: &[Accepted]) {
        let Some(last) = accepted.last() else { return };
        for notes in &self.notes {
            let begun = Instant::now();
            while !notes.has(last.number) {
                let (place, heard) = (notes.place(), notes.last_heard());
                let late = begun.elapsed() > super::process::PATIENCE;
                assert!(!late, "{} is at {place:?} and not at {last:?}: {heard}", notes.name);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

struct Reader {
    at: SocketAddr,
    channel: String,
    way: Way,
    stay: Duration,
    notes: Arc<Notes>,
    asleep: Arc<AtomicBool>,
}

impl Reader {
    async fn read(self) {
        match self.way {
            Way::WebSocket => self.by_client(Transport::WebSocket, Wire::Json).await,
            Way::Protobuf => self.by_client(Transport::WebSocket, Wire::Proto).await,
            Way::Events => self.by_client(Transport::Sse, Wire::Json).await,
            _ => self.by_itself().await,
        }
    }

    async fn by_client(self, transport: Transport, wire: Wire) {
        let backoff = (PAUSE, Duration::from_millis(500));
        let options = Options {
            transport,
            wire,
            backoff_min: backoff.0,
            backoff_max: backoff.1,
            connect_timeout: SILENCE,
            ..Options::default()
        };
        let client = Client::connect(&format!("http://{}", self.at), options).unwrap();
        let start = SubscribeOptions::default();
        let mut subscription = client.subscribe(&self.channel, start).await.unwrap();
        let mut restless = tokio::time::interval_at(Instant::now() + self.stay, self.stay);
        loop {
            tokio::select! {
                event = subscription.next() => match event {
                    Some(event) => self.note(event),
                    None => panic!("{}: the subscription ended", self.notes.name),
                },
                _ = restless.tick() => client.kill_connection().await,
            }
        }
    }

    fn note(&self, event: SubscriptionEvent) {
        let notes = &self.notes;
        match event {
            SubscriptionEvent::Subscribed(told) => {
                if notes.began().is_some() {
                    notes.moved();
                }
                notes.begun(told.position);
            }
            SubscriptionEvent::Publication(publication) => {
                let number = number_of(&publication);
                notes.publication(number, publication.position, publication.id.to_string());
            }
            SubscriptionEvent::Gap(gap) => notes.gap(gap.from, gap.resume, gap.reason.as_str()),
            SubscriptionEvent::Lagged { .. } => notes.lagged(),
            SubscriptionEvent::Unsubscribed(refused) => panic!("{}: {refused:?}", notes.name),
            _ => {}
        }
    }

    async fn by_itself(self) {
        loop {
            // What is broken is tried again.
            let done: io::Result<()> = match self.way {
                Way::PlainEvents => self.events().await,
                Way::Stream => self.lines().await,
                Way::Jsonp | Way::PlainPolls => self.polls().await,
                _ => self.session_of_polls().await,
            };
            if let Err(error) = done {
                self.notes.heard(error.to_string());
            }
            if self.notes.began().is_some() {
                self.notes.moved();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Where it goes on, as a cursor.
    fn cursor(&self) -> Option<String> {
        let Position { epoch, offset } = self.notes.place()?;
        Some(format!("{offset}.{epoch}.{}", self.channel))
    }

    /// One event stream, for as long as it is good.
    async fn events(&self) -> io::Result<()> {
        let path = format!("/v1/sse?channel={}&envelope=true", self.channel);
        let cursor = self.cursor();
        let header = cursor.as_ref().map(|cursor| ("Last-Event-ID", cursor.as_str()));
        let ask = Ask::get(&path).with(header.as_slice());
        let mut held = Held::open(self.at, ask, SILENCE).await?;
        let leave = Instant::now() + self.stay;
        let mut event = String::new();
        while held.status == 200 && Instant::now() < leave {
            let Some(line) = held.line().await? else { break };
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => self.begun_at(id),
                Some(("event", name)) => event = name.to_owned(),
                Some(("data", data)) => {
                    let kind = if event.is_empty() { "publication" } else { &event };
                    self.notes.event(&json!({kind: serde_json::from_str::<Value>(data)?}));
                }
                _ if line.trim_end().is_empty() => event.clear(),
                _ => {}
            }
        }
        Ok(())
    }

    fn begun_at(&self, cursor: &str) {
        let Ok(cursor) = Cursor::parse(cursor) else { return };
        cursor.iter().for_each(|(_, position)| self.notes.begun(*position));
    }

    /// One stream of lines, for as long as it is good.
    async fn lines(&self) -> io::Result<()> {
        let cursor = self.cursor().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/stream?channel={}{cursor}", self.channel);
        let mut held = Held::open(self.at, Ask::get(&path), SILENCE).await?;
        let leave = Instant::now() + self.stay;
        while held.status == 200 && Instant::now() < leave {
            let Some(line) = held.line().await? else { break };
            if !line.trim().is_empty() {
                self.take(&serde_json::from_str(&line)?);
            }
        }
        Ok(())
    }

    /// An event, and perhaps the cursor after it.
    fn take(&self, event: &Value) {
        self.notes.event(event);
        if let Some(cursor) = event["cursor"].as_str() {
            self.begun_at(cursor);
        }
    }
}

fn number_of(publication: &Publication) -> u64 {
    let martlet_client::Data::Json(json) = &publication.data else { return 0 };
    let value: Value = serde_json::from_slice(json).unwrap_or_default();
    value["n"].as_u64().unwrap_or(0)
}
