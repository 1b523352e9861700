//! The connection of one worker, or of a node's cluster: questions with an end, what is kept by
//! the server, and the server's clock. What the answers mean is others' business.

use std::cell::Cell;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, HeaderMap, Message};
use bytes::Bytes;
use martlet_core::model::UnixMillis;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::names::{self, Names};
use super::settings::Settings;

/// How long to wait for a connection before what was asked fails.
pub const CONNECTING: Duration = Duration::from_secs(2);

/// How long one question may take to be answered.
pub const ANSWERING: Duration = Duration::from_millis(1_500);

/// How often it is looked whether the server's time is known.
const TIME_LOOK: Duration = Duration::from_millis(10);

/// How many messages of one subscription may wait to be taken in.
const SUBSCRIPTION_MAX: usize = 8_192;

/// How many commands may wait to be written.
const COMMANDS_MAX: usize = 8_192;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no connection; nothing was asked.
    #[error("there is no connection to the NATS server")]
    Down,
    /// It was asked and did not answer: it may have done it.
    #[error("the NATS server does not answer")]
    Unanswered,
    /// Nobody is there to answer.
    #[error("JetStream does not answer for {0}: is it enabled?")]
    Nobody(String),
    /// Something was written to the subject since.
    #[error("something else was written first")]
    Conflict,
    /// It refuses.
    #[error("the NATS server refuses: {0} ({1})")]
    Refused(String, u64),
}

/// The server's numbers for what it refuses.
pub mod refusals {
    /// There is no such stream.
    pub const NO_STREAM: u64 = 10_059;
    /// There is a stream of that name, made differently.
    pub const OTHER_STREAM: u64 = 10_058;
    /// There is no such message.
    pub const NO_MESSAGE: u64 = 10_037;
    /// Something else was written to the subject.
    pub const WRONG_SEQUENCE: u64 = 10_071;
}

/// A message that the server keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the stream.
    pub sequence: u64,
    /// Where it was written to.
    pub subject: String,
    /// When the server took it.
    pub time: UnixMillis,
    /// What is in it.
    pub payload: Bytes,
}

/// Which message of a stream.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// The last of a subject, which may have `*` in it.
    Last(&'a str),
    /// The first of a subject that has at least this number.
    From(u64, &'a str),
    /// The one with this number.
    At(u64),
}

/// The server took a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The number that it has.
    pub sequence: u64,
    /// It had been taken before under the same key.
    pub duplicate: bool,
}

/// A connection.
pub struct Link {
    client: Client,
    /// What things are called.
    pub names: Names,
    up: watch::Receiver<bool>,
    direct: bool,
    /// The server's time, and when it was that.
    clock: Cell<Option<(Instant, UnixMillis)>>,
}

/// What happens to a connection.
pub type Events = mpsc::UnboundedReceiver<Event>;

impl Link {
    /// Begins to connect, for as long as it takes.
    pub async fn connect(settings: &Settings, name: String) -> Result<(Self, Events), Trouble> {
        let (tell, events) = mpsc::unbounded_channel();
        let (set_up, up) = watch::channel(false);
        let callback = move |event: Event| {
            match event {
                Event::Connected => drop(set_up.send(true)),
                Event::Disconnected | Event::Closed => drop(set_up.send(false)),
                _ => {}
            }
            // Nobody listens when the worker ends.
            let _ = tell.send(event);
            std::future::ready(())
        };
        let options = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .connection_timeout(CONNECTING)
            .request_timeout(None)
            .ping_interval(Duration::from_secs(5))
            .subscription_capacity(SUBSCRIPTION_MAX)
            .client_capacity(COMMANDS_MAX)
            .reconnect_delay_callback(delay)
            .event_callback(callback);
        let connecting = options.connect(settings.servers.clone()).await;
        let client = connecting.map_err(|error| Trouble::Refused(error.to_string(), 0))?;
        let names = Names::new(&settings.prefix);
        let direct = settings.replicas == 1;
        Ok((Self { client, names, up, direct, clock: Cell::new(None) }, events))
    }

    /// The client itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether there is a connection.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Whether streams have copies. Then the leader is asked, since copies may be behind it, and
    /// what the server says of the order of messages has to be looked at once more.
    pub fn has_copies(&self) -> bool {
        !self.direct
    }

    /// Waits until there is a connection, but not for long.
    pub async fn ready(&self) -> Result<(), Trouble> {
        let mut up = self.up.clone();
        match timeout(CONNECTING, up.wait_for(|up| *up)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Trouble::Down),
        }
    }

    /// The server's time, if need be when it is first known.
    pub async fn wait_for_time(&self) -> Result<UnixMillis, Trouble> {
        let begun = Instant::now();
        while begun.elapsed() < CONNECTING {
            if let Some(time) = self.time() {
                return Ok(time);
            }
            tokio::time::sleep(TIME_LOOK).await;
        }
        Err(Trouble::Down)
    }

    /// The server's time. It does not follow this node's wall clock.
    pub fn time(&self) -> Option<UnixMillis> {
        let (at, time) = self.clock.get()?;
        Some(time.plus_ms(at.elapsed().as_millis() as u64))
    }

    /// The server's time was this, at an instant between those.
    pub fn set_time(&self, time: UnixMillis, sent: Instant, received: Instant) {
        self.clock.set(Some((sent + (received - sent) / 2, time)));
    }

    /// Asks something.
    pub async fn call(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Message, Trouble> {
        self.ready().await?;
        let request = async_nats::Request::new().payload(payload).timeout(None);
        let request = match headers {
            Some(headers) => request.headers(headers),
            None => request,
        };
        let asked = self.client.send_request(subject.clone(), request);
        match timeout(ANSWERING, asked).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(match error.kind() {
                async_nats::RequestErrorKind::NoResponders => Trouble::Nobody(subject),
                async_nats::RequestErrorKind::MaxPayloadExceeded
                | async_nats::RequestErrorKind::InvalidSubject => {
                    Trouble::Refused(error.to_string(), 0)
                }
                _ => Trouble::Unanswered,
            }),
            Err(_) => Err(Trouble::Unanswered),
        }
    }

    /// Asks JetStream's interface.
    pub async fn api(&self, verb: String, body: Value) -> Result<Value, Trouble> {
        let payload = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.call(format!("$JS.API.{verb}"), None, payload.into()).await?;
        let answer: Value = serde_json::from_slice(&answer.payload)
            .map_err(|error| Trouble::Refused(error.to_string(), 0))?;
        refusal(&answer).map_or(Ok(answer), Err)
    }

    /// Writes a message; if `expected` is given, only if that is the number of the last message
    /// of the subject, where 0 is none. A message with a key is taken once.
    pub async fn write(
        &self,
        subject: String,
        expected: Option<u64>,
        key: Option<&str>,
        payload: Vec<u8>,
    ) -> Result<Taken, Trouble> {
        let mut headers = HeaderMap::new();
        if let Some(expected) = expected {
            headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string().as_str());
        }
        if let Some(key) = key {
            headers.insert("Nats-Msg-Id", key);
        }
        let answer = self.call(subject, Some(headers), payload.into()).await?;
        let answer: Value = serde_json::from_slice(&answer.payload)
            .map_err(|error| Trouble::Refused(error.to_string(), 0))?;
        if let Some(trouble) = refusal(&answer) {
            return Err(trouble);
        }
        let duplicate = answer["duplicate"].as_bool().unwrap_or(false);
        let sequence = answer["seq"].as_u64().filter(|sequence| *sequence > 0);
        let sequence = sequence.ok_or(Trouble::Refused("it did not store it".to_owned(), 0))?;
        Ok(Taken { sequence, duplicate })
    }

    /// Reads a message. Copies of a stream may be behind its leader: if there are any, the leader
    /// is asked, which is slower.
    pub async fn read(&self, stream: &str, which: Which<'_>) -> Result<Option<Kept>, Trouble> {
        let body = match which {
            Which::Last(subject) => json!({ "last_by_subj": subject }),
            Which::From(sequence, subject) => json!({ "seq": sequence, "next_by_subj": subject }),
            Which::At(sequence) => json!({ "seq": sequence }),
        };
        if self.direct {
            let subject = format!("$JS.API.DIRECT.GET.{stream}");
            let answer = self.call(subject, None, body.to_string().into()).await?;
            return kept_directly(answer);
        }
        match self.api(format!("STREAM.MSG.GET.{stream}"), body).await {
            Ok(answer) => Ok(kept_by_leader(&answer["message"])),
            Err(Trouble::Refused(_, refusals::NO_MESSAGE)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

/// How long to wait before connecting again: at first hardly.
fn delay(attempts: usize) -> Duration {
    Duration::from_millis(20 << attempts.saturating_sub(1).min(6)).min(Duration::from_secs(1))
}

fn refusal(answer: &Value) -> Option<Trouble> {
    let error = answer.get("error")?;
    let number = error["err_code"].as_u64().unwrap_or(0);
    let words = error["description"].as_str().unwrap_or("without a word").to_owned();
    let conflict = number == refusals::WRONG_SEQUENCE;
    Some(if conflict { Trouble::Conflict } else { Trouble::Refused(words, number) })
}

fn kept_directly(answer: Message) -> Result<Option<Kept>, Trouble> {
    let headers = answer.headers.as_ref();
    let header = |name: &str| headers?.get(name).map(|value| value.as_str());
    if let Some(status) = answer.status.map(|status| status.as_u16()) {
        let words = || answer.description.clone().unwrap_or_default();
        return if status == 404 {
            Ok(None)
        } else {
            Err(Trouble::Refused(words(), status.into()))
        };
    }
    let kept = (|| {
        Some(Kept {
            sequence: header("Nats-Sequence")?.parse().ok()?,
            subject: header("Nats-Subject")?.to_owned(),
            time: names::time(header("Nats-Time-Stamp")?)?,
            payload: answer.payload.clone(),
        })
    })();
    kept.map(Some).ok_or(Trouble::Refused("a message without its place".to_owned(), 0))
}

fn kept_by_leader(message: &Value) -> Option<Kept> {
    Some(Kept {
        sequence: message["seq"].as_u64()?,
        subject: message["subject"].as_str()?.to_owned(),
        time: names::time(message["time"].as_str()?)?,
        payload: unbase64(message["data"].as_str().unwrap_or_default())?.into(),
    })
}

/// Reads base 64, as JSON of the server has data.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}
