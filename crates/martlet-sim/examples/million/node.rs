//! One worker as the server composes it, its sockets left out: what is written goes nowhere, and
//! is counted.

use std::convert::Infallible;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use martlet_core::hub::{Lane, LaneId, LaneLimits, ReaderKey, ReplyTo, Shard, ShardOutput};
use martlet_core::model::{ChannelName, ClientId, Data, Draft, Limits, Namespace, Namespaces};
use martlet_core::model::{NodeId, SessionKey, SessionPlace, UnixMillis, UserId};
use martlet_core::port::Store as _;
use martlet_core::presence::Holder;
use martlet_core::session::{
    Answer, Event, GrantKey, Identity, Numbered, Opening, Output, Reply, Request, Rules, Session,
    Verdict,
};
use martlet_core::time::{Instant, Now};
use martlet_engine::memory::MemoryStore;
use martlet_protocol::native::json;
use martlet_sim::wire::{Door, Encoders};
use slab::Slab;

use crate::index::{Index, SessionIndex};

/// As many bytes of data as `martlet bench` publishes.
const DATA_BYTES: usize = 128;

/// A session with what the worker keeps beside it.
pub struct Entry {
    session: Session,
    reader: ReaderKey,
    generation: u32,
    armed: Instant,
}

/// The worker.
pub struct Node {
    pub rules: Arc<Rules>,
    pub entries: Slab<Entry>,
    pub index: Index,
    pub lane: Lane,
    pub shard: Shard,
    pub store: MemoryStore,
    encoders: Encoders,
    tickets: Slab<(SessionIndex, u32)>,
    clock: Now,
    /// How many bytes were written, and by how many writes.
    pub written: usize,
    pub writes: usize,
}

impl Node {
    pub fn new() -> Self {
        let clock = Now { instant: Instant(1_000_000), wall: UnixMillis(1_790_000_000_000) };
        let rules = Arc::new(rules());
        let channels_max = rules.limits.channels_per_node;
        Self {
            entries: Slab::new(),
            index: Index::new(clock.instant),
            lane: Lane::new(LaneLimits::from(&rules.limits), 7),
            shard: Shard::new(Arc::clone(&rules.namespaces), channels_max, 7),
            store: MemoryStore::new(clock, channels_max, 7),
            encoders: Encoders,
            tickets: Slab::new(),
            clock,
            written: 0,
            writes: 0,
            rules,
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, duration: Duration) {
        self.clock.instant = self.clock.instant.after(duration);
        self.clock.wall = self.clock.wall.plus_ms(duration.as_millis() as u64);
    }

    /// A client comes, says `connect` by this frame, and is written its answers.
    pub fn open(&mut self, number: u64, frame: &[u8]) {
        let slot = self.entries.vacant_key() as u32;
        let opening = Opening {
            key: SessionKey::new(
                SessionPlace { node: NodeId::new(0), worker: 0, slot },
                scatter(number),
            ),
            client: ClientId::new(scatter(number)),
            holder: Holder(number),
            answers: true,
            member: true,
            aged_at: Instant::NEVER,
        };
        let session = Session::new(self.clock, Arc::clone(&self.rules), opening);
        let reader = self.lane.add_reader(self.clock.instant, Door::Json.wire());
        let (generation, armed) = (number as u32, Instant(u64::MAX));
        let place = self.entries.insert(Entry { session, reader, generation, armed });
        let index = (place as u32, generation);
        self.index.insert(index, reader);
        self.hear(index, frame);
        self.sweep();
    }

    /// A frame came from a client.
    pub fn hear(&mut self, index: SessionIndex, frame: &[u8]) {
        let Some(entry) = self.entries.get_mut(index.0 as usize) else { return };
        let (session, now) = (&mut entry.session, self.clock);
        session.handle_heard();
        let sink = |numbered: Result<Numbered, _>| session.handle_command(now, numbered.unwrap());
        json::decode(frame, &self.rules.limits, sink).unwrap();
        self.settle(index);
    }

    /// Meets the deadlines that have come; gives who was met.
    pub fn meet_deadlines(&mut self) -> Vec<SessionIndex> {
        let due = self.index.take_due(self.clock.instant);
        for index in &due {
            let Some(entry) = self.entries.get_mut(index.0 as usize) else { continue };
            entry.armed = Instant(u64::MAX);
            entry.session.handle_timeout(self.clock, self.lane.sent_at(entry.reader));
            self.settle(*index);
        }
        due
    }

    /// The backend publishes.
    pub fn publish(&mut self, channel: &ChannelName) {
        let text = "x".repeat(DATA_BYTES - 2);
        let draft = Draft {
            channel: channel.clone(),
            name: None,
            reference: None,
            tags: Vec::new(),
            from: None,
            idempotency_key: None,
            data: Data::Json(format!("\"{text}\"").into()),
        };
        let nobody = ReplyTo { lane: LaneId(0), ticket: u64::MAX };
        self.ask(nobody, Request::Publish(draft));
    }

    /// Writes to everybody who has something coming.
    pub fn sweep(&mut self) {
        while let Some(reader) = self.lane.poll_marked() {
            assert!(self.index.by_reader(reader).is_some(), "a reader is of a session");
            let (mut bytes, now) = (0, self.clock.instant);
            let write = |slices: &[IoSlice<'_>]| {
                bytes = slices.iter().map(|slice| slice.len()).sum();
                Ok::<_, Infallible>(bytes)
            };
            let Ok(_) = self.lane.visit(now, reader, &mut self.encoders, write);
            self.written += bytes;
            self.writes += usize::from(bytes > 0);
        }
    }

    fn settle(&mut self, index: SessionIndex) {
        while let Some(output) =
            self.entries.get_mut(index.0 as usize).and_then(|entry| entry.session.poll_output())
        {
            self.do_for_session(index, output);
        }
        let Some(entry) = self.entries.get_mut(index.0 as usize) else { return };
        let sent_at = self.lane.sent_at(entry.reader);
        if let Some(at) = entry.session.poll_timeout(self.clock, sent_at)
            && at < entry.armed
        {
            entry.armed = at;
            self.index.arm(at, (index.0, entry.generation));
        }
    }

    fn do_for_session(&mut self, index: SessionIndex, output: Output) {
        let entry = &mut self.entries[index.0 as usize];
        match output {
            Output::Ask(number, _) => {
                let verdict = Verdict::Identity(Box::new(identity(entry.generation)));
                entry.session.handle_verdict(self.clock, number, verdict);
            }
            Output::Tell(answer) => self.tell(index, &answer),
            Output::Request(number, request) => {
                let ticket = self.tickets.insert((index, number)) as u64;
                self.ask(ReplyTo { lane: LaneId(0), ticket }, request);
            }
            Output::Begin(channel, followed) => {
                self.lane.begin(entry.reader, &channel, &followed);
            }
            Output::End(_) | Output::Replace(_) => {}
            Output::Close(close) => panic!("nobody is closed here: {close:?}"),
        }
    }

    fn tell(&mut self, index: SessionIndex, answer: &Answer) {
        let entry = &self.entries[index.0 as usize];
        match &answer.event {
            Event::Connected(_) => {
                let entries = &self.entries;
                let client_of = |other: &SessionIndex| entries[other.0 as usize].session.client();
                self.index.list(index, &entry.session, client_of);
            }
            Event::Refused { refusal, .. } => panic!("nobody is refused here: {refusal:?}"),
            _ => {}
        }
        let frame = self.encoders.answer(Door::Json, answer, None);
        self.lane.push(entry.reader, frame).unwrap();
    }

    fn ask(&mut self, to: ReplyTo, request: Request) {
        self.shard.handle_request(self.clock, to, request);
        while let Some(output) = self.shard.poll_output() {
            match output {
                ShardOutput::Store(ticket, request) => {
                    self.store.submit(self.clock, ticket, request);
                    while let Some((ticket, reply)) = self.store.poll_reply() {
                        self.shard.handle_store(self.clock, ticket, reply);
                    }
                }
                ShardOutput::Deliver(_, delivery) => {
                    self.lane.deliver(&delivery, &mut self.encoders);
                }
                ShardOutput::Reply(to, reply) => self.take_reply(to.ticket, reply),
                ShardOutput::Announce(_) | ShardOutput::Listen(_) | ShardOutput::Unlisten(_) => {}
            }
        }
    }

    fn take_reply(&mut self, ticket: u64, reply: Reply) {
        let waiting = usize::try_from(ticket).ok().and_then(|key| self.tickets.try_remove(key));
        let Some((index, number)) = waiting else { return };
        self.entries[index.0 as usize].session.handle_reply(number, reply);
        self.settle(index);
    }
}

/// Nobody is announced, and the history holds one publication: more would be weighed instead.
fn rules() -> Rules {
    let namespace =
        Namespace { history_size: 1, presence: false, join_leave: false, ..Namespace::open() };
    Rules {
        namespaces: Arc::new(Namespaces { default: Some(namespace), ..Namespaces::default() }),
        limits: Limits { channels_per_node: usize::MAX, ..Limits::default() },
        anonymous: false,
        ping: Duration::from_secs(25),
        pong: Duration::from_secs(10),
        expiry: Duration::from_secs(60),
        grant_lifetime: Duration::from_secs(86_400),
        grant_key: GrantKey::new(&[7; 32]),
    }
}

/// What the token of a client says: its user, and until when.
fn identity(number: u32) -> Identity {
    let expires = Some(UnixMillis(1_790_000_000_000).plus_ms(86_400_000));
    Identity { user: UserId::parse(&format!("user-{number}")), expires, ..Identity::default() }
}

/// Numbers that look random, so that lists are filled as random ids fill them.
fn scatter(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (z ^ (z >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
