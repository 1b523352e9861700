//! Members: who is in which channel, on which node. Each is a message of its own, and whoever
//! changes one says which one it changes, so that each coming and going is told once. JetStream
//! tells followers what it took, like publications.

use std::rc::Rc;

use async_nats::Message;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use martlet_core::model::{ChannelName, ClientId, NodeId};
use martlet_core::port::{News, StoreReply};
use martlet_core::presence::{Member, Moved};
use prost::Message as _;
use serde_json::{Value, json};

use super::Far;
use super::link::{Kept, Link, Trouble, Which};
use super::names;
use crate::record;

/// How often a change is tried that others were faster with.
const TRIES: usize = 20;

/// How many members are asked for at once.
const AT_ONCE: usize = 32;

/// A member as it is kept.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Stay {
    /// The node that has the client.
    #[prost(fixed32, tag = "1")]
    pub node: u32,
    /// The client.
    #[prost(bytes = "bytes", tag = "2")]
    pub member: Bytes,
    /// What changed with this message.
    #[prost(enumeration = "Change", tag = "3")]
    pub change: i32,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Change {
    /// The client is on another node, or says something else of itself.
    Moved = 0,
    /// It came.
    Came = 1,
    /// It went.
    Went = 2,
}

impl Stay {
    fn new(node: NodeId, member: &Member, change: Change) -> Self {
        let member = record::write_member(member).into();
        Self { node: node.bits(), member, change: change.into() }
    }

    fn read(payload: &Bytes) -> Option<Self> {
        Self::decode(payload.clone()).ok()
    }

    fn is_here(&self) -> bool {
        self.change() != Change::Went
    }
}

/// The kept members, whoever looks at them: a worker, or a node's cluster.
pub struct Roll<'a>(pub &'a Link);

impl Roll<'_> {
    fn stream(&self) -> String {
        self.0.names.stream("members")
    }

    /// A client of `node` is in the channel.
    async fn enter(
        &self,
        node: NodeId,
        channel: &ChannelName,
        member: &Member,
    ) -> Result<(), Trouble> {
        let subject = self.0.names.member(channel, &member.client.to_string());
        let (mut expected, mut change) = (0, Change::Came);
        for _ in 0..TRIES {
            let stay = Stay::new(node, member, change);
            match self.write(&subject, expected, &stay).await {
                Err(Trouble::Conflict) => {}
                other => return other.map(drop),
            }
            let there = self.0.read(&self.stream(), Which::Last(&subject)).await?;
            expected = there.as_ref().map_or(0, |kept| kept.sequence);
            let before = there.and_then(|kept| Stay::read(&kept.payload));
            let here = before.filter(Stay::is_here);
            if here.as_ref().is_some_and(|b| b.node == stay.node && b.member == stay.member) {
                return Ok(());
            }
            change = if here.is_some() { Change::Moved } else { Change::Came };
        }
        Err(Trouble::Conflict)
    }

    /// A client of `node` is in the channel no more.
    async fn exit(&self, node: NodeId, subject: &str) -> Result<(), Trouble> {
        for _ in 0..TRIES {
            let there = self.0.read(&self.stream(), Which::Last(subject)).await?;
            let Some(kept) = there else { return Ok(()) };
            let Some(stay) = Stay::read(&kept.payload) else { return Ok(()) };
            if stay.node != node.bits() {
                return Ok(());
            }
            if !stay.is_here() {
                return self.delete(kept.sequence).await;
            }
            let gone = Stay { change: Change::Went.into(), ..stay };
            match self.write(subject, kept.sequence, &gone).await {
                Ok(sequence) => return self.delete(sequence).await,
                Err(Trouble::Conflict) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Err(Trouble::Conflict)
    }

    async fn write(&self, subject: &str, expected: u64, stay: &Stay) -> Result<u64, Trouble> {
        let payload = stay.encode_to_vec();
        let taken = self.0.write(subject.to_owned(), Some(expected), None, payload).await?;
        Ok(taken.sequence)
    }

    /// What says that somebody went has been told, and is not kept.
    async fn delete(&self, sequence: u64) -> Result<(), Trouble> {
        let body = json!({ "seq": sequence, "no_erase": true });
        match self.0.api(format!("STREAM.MSG.DELETE.{}", self.stream()), body).await {
            // It is gone.
            Ok(_) | Err(Trouble::Refused(..)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// The subjects of a stream that match, in a stream with one message for each.
    pub async fn subjects(&self, stream: &str, filter: &str) -> Result<Vec<String>, Trouble> {
        let mut subjects = Vec::new();
        loop {
            let body = json!({ "subjects_filter": filter, "offset": subjects.len() });
            let info = self.0.api(format!("STREAM.INFO.{stream}"), body).await?;
            let found = info["state"]["subjects"].as_object();
            let before = subjects.len();
            subjects.extend(found.into_iter().flat_map(|found| found.keys().cloned()));
            let total = info["total"].as_u64().unwrap_or(0) as usize;
            if subjects.len() >= total || subjects.len() == before {
                subjects.sort();
                return Ok(subjects);
            }
        }
    }

    /// The last message of each subject, of those that have one.
    pub async fn last_of_all(
        &self,
        stream: &str,
        subjects: Vec<String>,
    ) -> Result<Vec<Kept>, Trouble> {
        let read =
            |subject: String| async move { self.0.read(stream, Which::Last(&subject)).await };
        let mut answers = stream::iter(subjects.into_iter().map(read)).buffered(AT_ONCE);
        let mut all = Vec::new();
        while let Some(kept) = answers.next().await {
            all.extend(kept?);
        }
        Ok(all)
    }

    /// Members of a channel, and how many there are.
    async fn members(
        &self,
        channel: &ChannelName,
        limit: usize,
    ) -> Result<(Vec<Member>, usize), Trouble> {
        let filter = self.0.names.member(channel, "*");
        let mut subjects = self.subjects(&self.stream(), &filter).await?;
        let count = subjects.len();
        subjects.truncate(limit);
        let kept = self.last_of_all(&self.stream(), subjects).await?;
        let here = kept.iter().filter_map(|kept| Stay::read(&kept.payload)).filter(Stay::is_here);
        let members: Vec<_> = here.filter_map(|stay| record::read_member(stay.member)).collect();
        Ok((members, count))
    }

    /// Tells of every member of a node that it went. Gives how many there were.
    pub async fn forget(&self, node: NodeId) -> Result<usize, Trouble> {
        let all = self.subjects(&self.stream(), &self.0.names.subject("m.*.*")).await?;
        let mut gone = 0;
        for some in all.chunks(AT_ONCE * 8) {
            let kept = self.last_of_all(&self.stream(), some.to_vec()).await?;
            for kept in kept {
                if Stay::read(&kept.payload).is_some_and(|stay| stay.node == node.bits()) {
                    self.exit(node, &kept.subject).await?;
                    gone += 1;
                }
            }
        }
        Ok(gone)
    }

    /// Makes sure that what a node had is looked for if it dies.
    pub async fn note(&self, node: NodeId, leaves_at: u64) -> Result<(), Trouble> {
        let subject = self.0.names.subject(&format!("o.{node}"));
        let body = if leaves_at > 0 { json!({ "leaves_at": leaves_at }) } else { Value::Null };
        self.0.write(subject, None, None, body.to_string().into_bytes()).await.map(drop)
    }
}

impl Far {
    pub(super) async fn enter(
        self: &Rc<Self>,
        channel: &ChannelName,
        member: Member,
    ) -> Result<StoreReply, Trouble> {
        Roll(&self.link).enter(self.node, channel, &member).await?;
        Ok(StoreReply::Done)
    }

    pub(super) async fn exit(
        self: &Rc<Self>,
        channel: &ChannelName,
        client: ClientId,
    ) -> Result<StoreReply, Trouble> {
        let subject = self.link.names.member(channel, &client.to_string());
        Roll(&self.link).exit(self.node, &subject).await?;
        Ok(StoreReply::Done)
    }

    pub(super) async fn members(
        self: &Rc<Self>,
        channel: &ChannelName,
        limit: usize,
    ) -> Result<StoreReply, Trouble> {
        let (members, count) = Roll(&self.link).members(channel, limit).await?;
        Ok(StoreReply::Members { members, count })
    }

    /// Tells that somebody came or went.
    pub(super) fn hear_member(&self, channel: &ChannelName, message: Message) {
        let Some(stay) = Stay::read(&message.payload) else { return };
        let change = stay.change();
        let Some(member) = record::read_member(stay.member) else { return };
        let moved = match change {
            Change::Moved => return,
            Change::Came => Moved::Join(member),
            Change::Went => Moved::Leave(member),
        };
        self.inbox.tell(News::Moved(channel.clone(), moved));
    }
}

/// The node that a subject ends with.
pub fn node_of(subject: &str, index: usize) -> Option<NodeId> {
    NodeId::parse(names::part(subject, index)?)
}

/// When a node that says so leaves for good, by the server's clock; 0 if it lives or has died.
pub fn leaves_at(kept: &Kept) -> u64 {
    let body = serde_json::from_slice::<Value>(&kept.payload);
    body.ok().and_then(|body| body["leaves_at"].as_u64()).unwrap_or(0)
}
