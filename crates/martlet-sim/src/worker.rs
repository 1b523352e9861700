//! A worker of a simulated node: a lane, a shard and sessions, composed as the server composes
//! them, without threads, sockets and clocks.
//!
//! After every call the worker *settles*: what sessions, lane and shard want is done until none
//! wants anything. Sessions come first: a subscription that has just begun has to have its place
//! in the lane before the shard's next delivery comes there. What concerns others comes out of
//! [`Worker::poll_effect`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use martlet_core::hub::{
    Delivery, Lane, LaneId, LaneLimits, ReaderKey, ReplyTo, Shard, ShardOutput,
};
use martlet_core::model::{ChannelName, Close, Code, Gap, Limits, Offset, Publication};
use martlet_core::model::{ClientId, NodeId, Refusal, SessionKey};
use martlet_core::port::{News, StoreReply, StoreRequest, StoreTicket};
use martlet_core::presence::Roster;
use martlet_core::session::{
    Answer, Connect, Opening, Question, Reply, Request, Rules, Session, Verdict,
};
use martlet_core::time::{Instant, Now};
use martlet_protocol::native::{json, proto};

use crate::record::{Checked, hold};
use crate::wire::{Door, Encoders};

mod inputs;
mod settle;
mod sweep;

/// A connection of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What one worker says to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// A question for a channel of the other's shard.
    Request(ReplyTo, Request),
    /// The answer to a question of the other.
    Reply(u64, Reply),
    /// Something of a channel that the other's lane follows.
    Deliver(Delivery),
    /// A session of the other's was continued elsewhere.
    Replace(SessionKey),
}

/// What a worker wants from the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Bring a letter to another worker of the node.
    Post(LaneId, Letter),
    /// Ask the store.
    Store(StoreTicket, StoreRequest),
    /// Tell the other nodes.
    Announce(Arc<Publication>),
    /// Judge a token; the verdict comes by [`Worker::handle_verdict`].
    Ask(u64, u32, Question),
    /// Close the connection: everything was written, or never will be.
    Shut(ConnectionId),
    /// Answer a plain request with this, instead of a stream.
    Turn(ConnectionId, Refusal),
    /// Something that the checks want to know.
    Note(Note),
}

/// What the checks want to know of a worker's doings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A client was told that it is connected.
    Connected(ConnectionId, ClientId),
    /// A client follows a channel.
    Following(ConnectionId, ChannelName),
    /// A client follows a channel no more; `lost` if it may be back.
    NotFollowing(ConnectionId, ChannelName, bool),
    /// The shard tells that somebody came (or went).
    Moved(ChannelName, ClientId, bool),
    /// A gap was told.
    Gap(ConnectionId, Gap),
    /// A connection was ended by its session.
    Closed(ConnectionId, Close),
}

struct Entry {
    session: Session,
    reader: ReaderKey,
    connection: Option<ConnectionId>,
    door: Door,
    /// What a plain stream waits for before it begins.
    plain: Option<PlainOpening>,
    closing: bool,
    blocked_since: Option<Instant>,
    /// The deadline that `timers` has for it.
    armed: Option<Instant>,
}

/// A plain stream begins when every channel was answered for: only then its first id is whole.
#[derive(Default)]
struct PlainOpening {
    unanswered: usize,
    /// What is told before the first id.
    gaps: Vec<Answer>,
    /// Why there will be no stream.
    refused: Option<Refusal>,
}

/// Who waits for a reply.
enum Waiting {
    Session(u64, u32),
    Load(ChannelName, Offset),
}

/// A worker.
pub struct Worker {
    id: LaneId,
    workers: u16,
    rules: Arc<Rules>,
    lane: Lane,
    shard: Shard,
    roster: Roster,
    encoders: Encoders,
    entries: BTreeMap<u64, Entry>,
    sessions: u64,
    by_connection: BTreeMap<ConnectionId, u64>,
    by_key: BTreeMap<SessionKey, u64>,
    by_reader: BTreeMap<ReaderKey, u64>,
    timers: BTreeSet<(Instant, u64)>,
    dirty: VecDeque<u64>,
    waiting: BTreeMap<u64, Waiting>,
    tickets: u64,
    /// When to ask again for pages that could not be read.
    retry_at: Option<Instant>,
    effects: VecDeque<Effect>,
}

impl Worker {
    /// A worker without sessions, one of `workers` of its node.
    pub fn new(id: LaneId, workers: u16, rules: Arc<Rules>, seed: u64) -> Self {
        let channels_max = rules.limits.channels_per_node.div_ceil(usize::from(workers));
        Self {
            id,
            workers,
            lane: Lane::new(LaneLimits::from(&rules.limits), seed),
            shard: Shard::new(Arc::clone(&rules.namespaces), channels_max, seed),
            roster: Roster::default(),
            rules,
            encoders: Encoders,
            entries: BTreeMap::new(),
            sessions: 0,
            by_connection: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_reader: BTreeMap::new(),
            timers: BTreeSet::new(),
            dirty: VecDeque::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
            retry_at: None,
            effects: VecDeque::new(),
        }
    }

    /// What it wants from the world.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Worker::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let session = self.timers.first().map(|(at, _)| *at);
        [session, self.shard.poll_timeout(), self.retry_at].into_iter().flatten().min()
    }

    /// Whether somebody is to be written to.
    pub fn any_marked(&self) -> bool {
        self.lane.any_marked()
    }

    /// Its lane.
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Its shard.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// The connections it has.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.by_connection.keys().copied()
    }

    /// How many sessions it has, attached or not.
    pub fn sessions(&self) -> usize {
        self.entries.len()
    }

    /// How many questions are out.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The bytes that are owed to the reader of a connection alone.
    pub fn owed_bytes(&self, connection: ConnectionId) -> usize {
        let entry = self.by_connection.get(&connection).and_then(|id| self.entries.get(id));
        entry.map_or(0, |entry| self.lane.owed_bytes(entry.reader))
    }

    /// The members of a channel of its shard.
    pub fn members(&self, channel: &ChannelName) -> Vec<ClientId> {
        let (members, _) = self.roster.members(channel, self.rules.limits.presence_page);
        members.into_iter().map(|member| member.client).collect()
    }

    /// Everybody has left: nothing may be left of anybody.
    pub fn check_empty(&self) -> Checked {
        let left = [
            ("sessions", self.entries.len() + self.by_key.len()),
            ("connections", self.by_connection.len() + self.by_reader.len()),
            ("deadlines", self.timers.len()),
            ("questions", self.waiting.len() + self.shard.questions()),
            ("readers", self.lane.readers()),
            ("read channels", self.lane.channels()),
            ("log bytes", self.lane.log_bytes()),
            ("channels", self.shard.stats().channels),
        ];
        left.into_iter().try_for_each(|(what, count)| {
            hold(count == 0, || format!("{count} {what} are left on {:?}", self.id))
        })
    }

    /// The worker of this node whose shard owns the channel.
    pub fn owner(&self, channel: &ChannelName) -> LaneId {
        owner(channel, self.workers)
    }
}

/// The worker, of `workers`, whose shard owns a channel.
pub fn owner(channel: &ChannelName, workers: u16) -> LaneId {
    let bytes = channel.as_str().bytes();
    let hash = bytes.fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    LaneId((hash % u32::from(workers.max(1))) as u16)
}
