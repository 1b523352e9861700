//! The streams there are, and their lives. A stream of channels has a random life in the subjects
//! it takes: one that was made anew has another, so that nobody can go on in it by mistake.
//!
//! If a stream turns out to have lost messages that it had acknowledged, because its server came
//! back with an older state than it had told of, whoever notices gives it a new life. What was
//! kept stays readable under the old subjects; every channel goes on from it in a new epoch.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use martlet_core::model::UnixMillis;
use martlet_core::stream::Keep;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::link::{Link, Trouble, Which, refusals};
use super::names::{self, Life};
use super::packed::Packed;
use super::settings::{Settings, Storage};

/// How long a repeated key is recognised.
pub const KEYS_KEPT: Duration = Duration::from_secs(300);

/// Between a message's own time and when the server took it, at most. A server that loses
/// messages takes longer than this to come back.
const SLACK_MS: u64 = 50;

/// The newest message that this worker knows to have been taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Witness {
    /// Its number in the stream.
    pub sequence: u64,
    /// Its own time.
    pub time: UnixMillis,
    /// Who wrote it.
    pub batch: u64,
}

/// The stream of the channels that keep the same.
pub struct Class {
    /// What tells it from others.
    pub name: String,
    /// The name of its stream.
    pub stream: String,
    keep: Keep,
    life: Cell<Option<Life>>,
    /// Lives that are known to be over.
    past: RefCell<Vec<Life>>,
    witness: Cell<Witness>,
    making: Mutex<()>,
}

/// What was found of a class's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is as it was known.
    Same,
    /// It has another life than was known: nothing else that was known of it holds.
    Other,
}

impl Class {
    /// The class of channels that keep this much.
    pub fn new(link: &Link, keep: Keep) -> Self {
        let name = names::class(keep);
        let stream = link.names.stream(&name);
        let (life, witness) = (Cell::default(), Cell::default());
        let past = RefCell::default();
        Self { name, stream, keep, life, past, witness, making: Mutex::new(()) }
    }

    /// The life that is known.
    pub fn known_life(&self) -> Option<Life> {
        self.life.get()
    }

    /// The newest message that is known to have been taken.
    pub fn witness(&self) -> Witness {
        self.witness.get()
    }

    /// A message of this life was taken.
    pub fn saw(&self, life: Life, seen: Witness) {
        if self.life.get() == Some(life) && seen.sequence > self.witness.get().sequence {
            self.witness.set(seen);
        }
    }

    /// The life, if need be of a stream that is made now.
    pub async fn life(&self, link: &Link, settings: &Settings) -> Result<Life, Trouble> {
        if let Some(life) = self.life.get() {
            return Ok(life);
        }
        let _making = self.making.lock().await;
        if let Some(life) = self.life.get() {
            return Ok(life);
        }
        self.look(link, settings).await?;
        self.life.get().ok_or(Trouble::Unanswered)
    }

    /// Whether a life is neither the one that is known nor known to be over: perhaps a newer one.
    pub fn is_strange(&self, life: Life) -> bool {
        self.life.get() != Some(life) && !self.past.borrow().contains(&life)
    }

    /// Whichever life it was, it is the known one now or over.
    fn settle(&self, strange: Life) {
        if self.life.get() != Some(strange) && !self.past.borrow().contains(&strange) {
            self.past.borrow_mut().push(strange);
        }
    }

    /// Looks which life the stream has, having met a strange one in it.
    pub async fn meet(
        &self,
        link: &Link,
        settings: &Settings,
        strange: Life,
    ) -> Result<Found, Trouble> {
        let _making = self.making.lock().await;
        let before = self.life.get();
        if self.is_strange(strange) {
            self.look(link, settings).await?;
            self.settle(strange);
        }
        Ok(if self.life.get() == before { Found::Same } else { Found::Other })
    }

    /// Looks what the stream is now; makes it if there is none, and gives it a new life if it
    /// lost what it had taken, which may be known by other signs (`lost`).
    pub async fn check(
        &self,
        link: &Link,
        settings: &Settings,
        lost: bool,
    ) -> Result<Found, Trouble> {
        let _making = self.making.lock().await;
        let before = self.life.get();
        self.look(link, settings).await?;
        if before.is_some() && self.life.get() == before && (lost || self.lost(link).await?) {
            tracing::warn!(stream = %self.stream, "the NATS server lost what it had acknowledged");
            self.renew(link, settings).await?;
        }
        Ok(if self.life.get() == before { Found::Same } else { Found::Other })
    }

    /// Learns the life from the server.
    async fn look(&self, link: &Link, settings: &Settings) -> Result<(), Trouble> {
        let info = || link.api(format!("STREAM.INFO.{}", self.stream), Value::Null);
        let found = match info().await {
            Err(Trouble::Refused(_, refusals::NO_STREAM)) => {
                let life = Life { id: super::random(), trusted: UnixMillis(0) };
                let config = self.config(link, settings, life);
                match link.api(format!("STREAM.CREATE.{}", self.stream), config).await {
                    Err(Trouble::Refused(_, refusals::OTHER_STREAM)) => info().await?,
                    other => other?,
                }
            }
            other => other?,
        };
        let life = found["config"]["subjects"][0]
            .as_str()
            .and_then(|subject| Life::parse(names::part(subject, 3)?));
        let life = life.ok_or_else(|| {
            Trouble::Refused(format!("the stream {} is somebody else's", self.stream), 0)
        })?;
        self.enter_life(life);
        Ok(())
    }

    fn enter_life(&self, life: Life) {
        let before = self.life.replace(Some(life));
        if before != Some(life) {
            self.witness.set(Witness::default());
            self.past.borrow_mut().extend(before);
        }
    }

    /// Whether the newest message known to have been taken is not there, or is another.
    async fn lost(&self, link: &Link) -> Result<bool, Trouble> {
        let witness = self.witness.get();
        if witness.sequence == 0 {
            return Ok(false);
        }
        let info = link.api(format!("STREAM.INFO.{}", self.stream), Value::Null).await?;
        if info["state"]["last_seq"].as_u64().unwrap_or(0) < witness.sequence {
            return Ok(true);
        }
        let there = link.read(&self.stream, Which::At(witness.sequence)).await?;
        // If it is not there, others of its channel took its place.
        let packed = there.and_then(|kept| Packed::read(kept.payload));
        Ok(packed.is_some_and(|packed| packed.batch != witness.batch))
    }

    /// Begins a new life: nobody can write in the one before any more.
    async fn renew(&self, link: &Link, settings: &Settings) -> Result<(), Trouble> {
        let trusted = self.witness.get().time.plus_ms(SLACK_MS);
        let life = Life { id: super::random(), trusted };
        let config = self.config(link, settings, life);
        link.api(format!("STREAM.UPDATE.{}", self.stream), config).await?;
        // Somebody else may have noticed at the same time; one of the lives is the last.
        self.look(link, settings).await
    }

    fn config(&self, link: &Link, settings: &Settings, life: Life) -> Value {
        let names = &link.names;
        let subject = |life: &str| names.subject(&format!("c.{}.{life}.*", self.name));
        // A message may hold several publications, or none where a channel is to be remembered.
        let most = self.keep.size.max(1) + usize::from(self.keep.size > 0) * 2;
        let age = (self.keep.age + Duration::from_secs(60)).max(settings.remembered);
        let mut config = config(settings, &self.stream, subject(&life.token()), most, age);
        config["duplicate_window"] = nanos(KEYS_KEPT.min(age));
        let heard = names.subject("ch.{{wildcard(2)}}.p.{{wildcard(1)}}");
        config["republish"] = json!({ "src": subject("*"), "dest": heard });
        config
    }
}

fn nanos(duration: Duration) -> Value {
    json!(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX >> 1))
}

/// A stream as all are.
fn config(settings: &Settings, name: &str, subject: String, most: usize, age: Duration) -> Value {
    let storage = match settings.storage {
        Storage::File => "file",
        Storage::Memory => "memory",
    };
    json!({
        "name": name, "subjects": [subject], "retention": "limits", "discard": "old",
        "storage": storage, "num_replicas": settings.replicas, "allow_direct": true,
        "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1,
        "max_msgs_per_subject": most, "max_age": nanos(age),
    })
}

/// Makes a stream, or leaves the one that is there.
async fn make(link: &Link, config: Value) -> Result<(), Trouble> {
    let name = config["name"].as_str().unwrap_or_default().to_owned();
    match link.api(format!("STREAM.CREATE.{name}"), config).await {
        Ok(_) | Err(Trouble::Refused(_, refusals::OTHER_STREAM)) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// Makes the streams beside those of channels: what keys published, who is where, and a pulse by
/// which the whole way through the server is known to be open.
pub async fn make_others(link: &Link, settings: &Settings) -> Result<(), Trouble> {
    let names = &link.names;
    let keys = config(settings, &names.stream("keys"), names.subject("k.*.*"), 1, KEYS_KEPT);
    make(link, keys).await?;
    let none = Duration::ZERO;
    make(link, config(settings, &names.stream("agreed"), names.subject("a.*"), 1, none)).await?;
    let mut members = config(settings, &names.stream("members"), names.subject("m.*.*"), 1, none);
    let told = names.subject("ch.{{wildcard(1)}}.m.{{wildcard(2)}}");
    members["republish"] = json!({ "src": names.subject("m.*.*"), "dest": told });
    make(link, members).await?;
    let life = Duration::from_secs(60);
    let mut pulse = config(settings, &names.stream("pulse"), names.subject("pulse.*"), 1, life);
    let beat = names.subject("beat.{{wildcard(1)}}");
    pulse["republish"] = json!({ "src": names.subject("pulse.*"), "dest": beat });
    pulse["storage"] = json!("memory");
    make(link, pulse).await
}

/// Makes the streams of a cluster: which nodes live, for as long as their lease, and which may
/// have left members behind.
pub async fn make_cluster(
    link: &Link,
    settings: &Settings,
    lease: Duration,
) -> Result<(), Trouble> {
    let names = &link.names;
    let name = names.stream("nodes");
    let mut nodes = config(settings, &name, names.subject("n.*"), 1, lease);
    nodes["duplicate_window"] = nanos(lease.min(KEYS_KEPT));
    match link.api(format!("STREAM.CREATE.{name}"), nodes.clone()).await {
        Err(Trouble::Refused(_, refusals::OTHER_STREAM)) => {
            link.api(format!("STREAM.UPDATE.{name}"), nodes).await.map(drop)?;
        }
        other => other.map(drop)?,
    }
    let known = config(settings, &names.stream("known"), names.subject("o.*"), 1, Duration::ZERO);
    make(link, known).await
}
