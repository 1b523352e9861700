//! Nodes on NATS as one cluster. A node lives as long as its last beat is kept by a stream that
//! keeps for one lease: the server's clock decides. Of a node that has died a note is left, and
//! among the living the one with the lowest id sees to its members.
//!
//! What nodes say to each other is NATS without JetStream: heard at once, or not at all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Subscriber;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _};
use martlet_core::model::NodeId;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, unconstrained};
use tokio::time::{Instant, timeout};

use super::link::{Link, Trouble, Which};
use super::members::{Roll, leaves_at, node_of};
use super::settings::Settings;
use super::streams;
use crate::cluster::{Alive, Beat, Cluster as Port, Heard, To, Unreachable};

/// How long joining may take.
const JOINING: Duration = Duration::from_secs(5);

/// How much may wait to be said. What is beyond is lost, as if the connection were broken.
const SAID_MAX: usize = 65_536;

/// How long after its members were seen to, a dead node is looked for once more: some of its
/// doings may still have been on their way.
const ONCE_MORE: Duration = Duration::from_secs(10);

/// The bytes before what is said: who says it, and how many things that one has said.
const HEAD: usize = 12;

/// A node's part in the cluster.
pub struct Cluster {
    link: Link,
    settings: Settings,
    node: NodeId,
    /// The number of this node's last beat, and its lease.
    beat: Cell<Option<u64>>,
    lease: Cell<Duration>,
    says: mpsc::Sender<(To, Bytes)>,
    /// Dead nodes whose members were seen to, and when.
    seen_to: RefCell<BTreeMap<NodeId, Instant>>,
    tasks: [AbortHandle; 3],
}

/// Joins the cluster: from now on this node hears what is said.
pub async fn join(settings: Settings, node: NodeId) -> Result<(Cluster, Heard), Unreachable> {
    settings.check().map_err(|error| Unreachable(error.to_string()))?;
    let joined = timeout(JOINING, begin(settings, node)).await;
    joined.unwrap_or(Err(Trouble::Down)).map_err(unreachable)
}

async fn begin(settings: Settings, node: NodeId) -> Result<(Cluster, Heard), Trouble> {
    let (link, mut events) = Link::connect(&settings, format!("martlet {node} cluster")).await?;
    link.ready().await?;
    streams::make_others(&link, &settings).await?;
    let subscribe = |rest: String| {
        let subject = link.names.subject(&rest);
        let client = link.client().clone();
        async move {
            let subscribing = client.subscribe(subject).await;
            subscribing.map_err(|error| Trouble::Refused(error.to_string(), 0))
        }
    };
    let own = subscribe(format!("node.{node}")).await?;
    let all = subscribe("all".to_owned()).await?;
    // Its answer comes after the server has heard of the subscriptions.
    streams::make_others(&link, &settings).await?;
    let (tell, heard) = mpsc::unbounded_channel();
    let (says, said) = mpsc::channel(SAID_MAX);
    let speaking = speak(link.client().clone(), link.names.clone(), node, said);
    let draining = async move { while events.recv().await.is_some() {} };
    let tasks = [
        tokio::spawn(listen(own, all, tell)).abort_handle(),
        tokio::spawn(speaking).abort_handle(),
        tokio::spawn(draining).abort_handle(),
    ];
    let (beat, lease) = (Cell::new(None), Cell::new(Duration::ZERO));
    let seen_to = RefCell::default();
    Ok((Cluster { link, settings, node, beat, lease, says, seen_to, tasks }, heard))
}

fn unreachable(trouble: Trouble) -> Unreachable {
    Unreachable(trouble.to_string())
}

impl Port for Cluster {
    async fn beat(&self, lease: Duration, about: Bytes) -> Result<Beat, Unreachable> {
        self.try_beat(lease, about).await.map_err(unreachable)
    }

    async fn agree(&self, name: &str, proposal: Bytes) -> Result<Bytes, Unreachable> {
        self.try_agree(name, proposal).await.map_err(unreachable)
    }

    fn say(&self, to: To, what: Bytes) {
        if self.says.try_send((to, what)).is_err() {
            tracing::warn!("too much waits to be said to other nodes; something is lost");
        }
    }

    async fn leave(&self, grace: Duration) -> Result<(), Unreachable> {
        self.try_leave(grace).await.map_err(unreachable)
    }
}

impl Cluster {
    async fn try_beat(&self, lease: Duration, about: Bytes) -> Result<Beat, Trouble> {
        if self.lease.get() != lease {
            streams::make_cluster(&self.link, &self.settings, lease).await?;
            self.lease.set(lease);
        }
        let forgotten = match self.say_alive(&about).await {
            Err(Trouble::Nobody(_)) => {
                // The streams are gone, and whatever was known with them.
                streams::make_others(&self.link, &self.settings).await?;
                streams::make_cluster(&self.link, &self.settings, lease).await?;
                self.say_alive(&about).await?
            }
            said => said?,
        };
        let alive = self.alive().await?;
        self.bury(&alive).await?;
        Ok(Beat { alive, forgotten })
    }

    /// Writes it where nobody has written before, or reads what somebody has.
    async fn try_agree(&self, name: &str, proposal: Bytes) -> Result<Bytes, Trouble> {
        let names = &self.link.names;
        let subject = names.subject(&format!("a.{name}"));
        match self.link.write(subject.clone(), Some(0), None, proposal.to_vec()).await {
            Ok(_) => Ok(proposal),
            Err(Trouble::Conflict) => {
                let kept = self.link.read(&names.stream("agreed"), Which::Last(&subject)).await?;
                kept.map(|kept| kept.payload).ok_or(Trouble::Unanswered)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Says that this node lives. Says whether the last time is so long ago that it was dead.
    async fn say_alive(&self, about: &Bytes) -> Result<bool, Trouble> {
        let subject = self.link.names.subject(&format!("n.{}", self.node));
        let before = self.beat.get();
        if before.is_none() {
            Roll(&self.link).note(self.node, 0).await?;
        }
        let write = |expected| self.link.write(subject.clone(), expected, None, about.to_vec());
        let (taken, forgotten) = match write(before).await {
            Err(Trouble::Conflict) => {
                // Either it was forgotten, or an answer was lost.
                let stream = self.link.names.stream("nodes");
                let there = self.link.read(&stream, Which::Last(&subject)).await?;
                Roll(&self.link).note(self.node, 0).await?;
                (write(None).await?, there.is_none())
            }
            taken => (taken?, false),
        };
        self.beat.set(Some(taken.sequence));
        Ok(forgotten)
    }

    async fn alive(&self) -> Result<Vec<Alive>, Trouble> {
        let (roll, names) = (Roll(&self.link), &self.link.names);
        let stream = names.stream("nodes");
        let subjects = roll.subjects(&stream, &names.subject("n.*")).await?;
        let kept = roll.last_of_all(&stream, subjects).await?;
        let alive = kept.into_iter().filter_map(|kept| {
            Some(Alive { node: node_of(&kept.subject, 2)?, about: kept.payload })
        });
        let mut alive: Vec<_> = alive.collect();
        alive.sort_by_key(|alive| alive.node);
        Ok(alive)
    }

    /// Sees to the members of the dead, if it is this node's turn.
    async fn bury(&self, alive: &[Alive]) -> Result<(), Trouble> {
        if alive.first().is_none_or(|first| first.node != self.node) {
            return Ok(());
        }
        let (roll, names) = (Roll(&self.link), &self.link.names);
        let known = names.stream("known");
        let notes = roll.subjects(&known, &names.subject("o.*")).await?;
        for note in notes {
            let Some(node) = node_of(&note, 2) else { continue };
            if alive.iter().any(|alive| alive.node == node) {
                self.seen_to.borrow_mut().remove(&node);
                continue;
            }
            let seen_to = self.seen_to.borrow().get(&node).copied();
            let Some(kept) = self.link.read(&known, Which::Last(&note)).await? else { continue };
            match seen_to {
                None if leaves_at(&kept) > self.time().await? => {}
                None => {
                    roll.forget(node).await?;
                    self.seen_to.borrow_mut().insert(node, Instant::now());
                }
                Some(at) if at.elapsed() < ONCE_MORE => {}
                Some(_) => {
                    roll.forget(node).await?;
                    self.forget_note(&known, kept.sequence).await?;
                    self.seen_to.borrow_mut().remove(&node);
                }
            }
        }
        Ok(())
    }

    async fn forget_note(&self, known: &str, sequence: u64) -> Result<(), Trouble> {
        let body = serde_json::json!({ "seq": sequence, "no_erase": true });
        match self.link.api(format!("STREAM.MSG.DELETE.{known}"), body).await {
            // The node came back and wrote another, or somebody else did it.
            Ok(_) | Err(Trouble::Refused(..)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// The server's time, as the newest beat of this node tells it.
    async fn time(&self) -> Result<u64, Trouble> {
        let names = &self.link.names;
        let subject = names.subject(&format!("n.{}", self.node));
        let own = self.link.read(&names.stream("nodes"), Which::Last(&subject)).await?;
        Ok(own.map_or(0, |own| own.time.0))
    }

    async fn try_leave(&self, grace: Duration) -> Result<(), Trouble> {
        let names = &self.link.names;
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX / 2);
        let leaves_at = self.time().await?.saturating_add(grace);
        Roll(&self.link).note(self.node, leaves_at.max(1)).await?;
        let Some(beat) = self.beat.take() else { return Ok(()) };
        self.forget_note(&names.stream("nodes"), beat).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Says what is to be said, in order, with a number on each.
async fn speak(
    client: async_nats::Client,
    names: super::names::Names,
    node: NodeId,
    mut said: mpsc::Receiver<(To, Bytes)>,
) {
    let mut number = 0;
    while let Some((to, what)) = said.recv().await {
        number += 1;
        let mut payload = BytesMut::with_capacity(HEAD + what.len());
        payload.put_u32(node.bits());
        payload.put_u64(number);
        payload.put(what);
        let subject = match to {
            To::Node(node) => names.subject(&format!("node.{node}")),
            To::All => names.subject("all"),
        };
        if let Err(error) = client.publish(subject, payload.freeze()).await {
            tracing::warn!(%error, "something could not be said to other nodes");
        }
    }
}

/// Hears what is said to this node and to all. Two subscriptions have no common order, so what
/// has come by both is put in the order in which each node said it: a message is in its
/// subscription before the next of the same node is in the other, and both are emptied until
/// nothing is in either.
async fn listen(mut own: Subscriber, mut all: Subscriber, tell: mpsc::UnboundedSender<Bytes>) {
    let mut heard = Vec::new();
    loop {
        let first = tokio::select! {
            message = own.next() => message,
            message = all.next() => message,
        };
        let Some(first) = first else { return };
        heard.push(first.payload);
        loop {
            let before = heard.len();
            for subscriber in [&mut own, &mut all] {
                while let Some(Some(message)) = unconstrained(subscriber.next()).now_or_never() {
                    heard.push(message.payload);
                }
            }
            if heard.len() == before {
                break;
            }
        }
        let mut whole: Vec<_> = heard.drain(..).filter_map(stamped).collect();
        whole.sort_by_key(|(stamp, _)| *stamp);
        for (_, what) in whole {
            if tell.send(what).is_err() {
                return;
            }
        }
    }
}

/// Who said it, and its number; and what was said.
fn stamped(mut payload: Bytes) -> Option<((u32, u64), Bytes)> {
    let whole = payload.len() >= HEAD;
    whole.then(|| ((payload.get_u32(), payload.get_u64()), payload))
}
