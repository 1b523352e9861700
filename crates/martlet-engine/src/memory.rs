//! The engine that every node has built in: one node alone, histories and members in memory, lost
//! with the process. It answers at once and never fails, except that it keeps no more channels
//! than it may.
//!
//! A channel that nobody has published in is not kept: its epoch follows from its name, so that
//! whoever only looks at channels, however many, leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use martlet_core::model::{
    ChannelName, Draft, Epoch, NodeId, Position, Publication, PublicationId, Slots, UnixMillis,
};
use martlet_core::port::{
    Engine, News, Page, Range, Read, Store, StoreError, StoreReply, StoreRequest, StoreTicket,
};
use martlet_core::presence::{Moved, Roster};
use martlet_core::stream::{Extent, Keep, Window};
use martlet_core::time::{Instant, Now};

mod arriving;
mod keys;
mod leaving;
mod piece;
#[cfg(test)]
mod tests;

pub use arriving::{Arrival, Garbage};

use crate::random::Random;
use keys::Keys;
use leaving::Stay;

/// How long a channel without history is remembered after it was last used. Until then its
/// epoch and offset stand, so that nobody is told of a gap that is none.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long it is remembered when there is little room for others.
const REMEMBERED_WHEN_FULL: Duration = Duration::from_secs(600);

/// How often it is looked for what may be forgotten.
const LOOK: Duration = Duration::from_secs(1);

/// About what a channel takes that keeps nothing, and what an idempotency key does.
const CHANNEL_BYTES: usize = 256;
const KEY_BYTES: usize = 384;

/// The one node there is. What it is called nobody is told.
const HERE: NodeId = NodeId::new(0);

#[derive(Debug)]
struct Channel {
    head: Position,
    window: Window,
    age: Duration,
    used: Instant,
}

/// Histories in memory.
#[derive(Debug)]
pub struct MemoryStore {
    channels: HashMap<ChannelName, Channel, foldhash::quality::FixedState>,
    channels_max: usize,
    /// How much memory histories take, and may take.
    weight: usize,
    weight_max: usize,
    /// Decides, with a channel's name, the epoch that it begins with.
    secret: u64,
    /// The slots that it owns some of.
    slots: Slots,
    /// How often channels of a slot were forgotten that had been published in: they begin with
    /// another epoch when they come again.
    forgotten: BTreeMap<u16, u64>,
    /// Channels that keep something, by when their oldest publication is too old.
    expiries: BTreeSet<(UnixMillis, ChannelName)>,
    keys: Keys,
    roster: Roster,
    news: VecDeque<News>,
    made: u16,
    last: UnixMillis,
    replies: VecDeque<(StoreTicket, StoreReply)>,
    next_look: Instant,
    /// Whether what it keeps stays here.
    stay: Stay,
}

impl MemoryStore {
    /// An empty store for at most `channels_max` channels. `random` seeds hashing, epochs and
    /// ids: two stores with different random bits never make the same id.
    pub fn new(now: Now, channels_max: usize, random: u64) -> Self {
        let hasher = foldhash::quality::FixedState::with_seed(random);
        Self {
            channels: HashMap::with_hasher(hasher),
            channels_max,
            weight: 0,
            weight_max: usize::MAX,
            secret: Random::new(random).next(),
            slots: Slots::new(random),
            forgotten: BTreeMap::new(),
            expiries: BTreeSet::new(),
            keys: Keys::new(random),
            roster: Roster::default(),
            news: VecDeque::new(),
            made: 0,
            last: now.wall,
            replies: VecDeque::new(),
            next_look: now.instant.after(LOOK),
            stay: Stay::default(),
        }
    }

    /// The same as one store of several, each of which owns some slots of `seed`. All begin a
    /// channel with the same epoch, so that it does not matter which of them gets it.
    pub fn with_slots(self, seed: u64) -> Self {
        Self { secret: Random::new(seed).next(), slots: Slots::new(seed), ..self }
    }

    /// The same, with histories that take no more than this much memory.
    pub fn with_bytes_max(self, bytes_max: usize) -> Self {
        Self { weight_max: bytes_max, ..self }
    }

    /// How many channels it remembers.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    fn append(&mut self, now: Now, draft: Draft, keep: Keep) -> Result<StoreReply, StoreError> {
        if let Some(publication) = self.keys.find(&draft, now.instant) {
            return Ok(StoreReply::Appended { publication, duplicate: true });
        }
        let id = self.make_id(now.wall);
        let time = self.last;
        let channel = self.channel(now, &draft.channel)?;
        channel.head.offset += 1;
        channel.age = keep.age;
        let key = draft.idempotency_key.clone();
        let publication = Arc::new(publish(draft, id, channel.head, time));
        let (first, before) = (channel.window.is_empty(), channel.window.weight());
        channel.window.push(&publication, keep);
        let after = channel.window.weight();
        self.weight = self.weight + after - before;
        if first && keep.size > 0 {
            self.expire_later(&publication.channel, time, keep.age);
        }
        self.make_room(&publication.channel);
        if let Some(key) = key {
            self.keys.keep(key, &publication, now.instant);
        }
        Ok(StoreReply::Appended { publication, duplicate: false })
    }

    fn read(&mut self, now: Now, read: Read) -> StoreReply {
        let Read { channel, range, limit, keep } = read;
        let nothing = Window::default();
        let (head, window) = match self.channels.get_mut(&channel) {
            Some(channel) => {
                channel.used = now.instant;
                self.weight -= channel.window.weight();
                channel.window.expire(now.wall, keep.age);
                self.weight += channel.window.weight();
                (channel.head, &channel.window)
            }
            None => (begin(self.life(&channel), &channel), &nothing),
        };
        let first = window.first().unwrap_or(head.offset + 1);
        let (before, publications) = match range {
            Range::After(offset) => (offset, window.after(offset, limit)),
            Range::Since(time) => {
                let before = window.before(time).unwrap_or(head.offset);
                (before, window.after(before, limit))
            }
            Range::Until(offset) => (offset, window.until(offset, limit)),
        };
        let extent = Extent { head, first, kept: keep.size > 0, previous: None };
        StoreReply::Page(Page { extent, before, publications })
    }

    fn moved(&mut self, channel: ChannelName, moved: Option<Moved>) -> StoreReply {
        self.news.extend(moved.map(|moved| News::Moved(channel, moved)));
        StoreReply::Done
    }

    fn channel(&mut self, now: Now, name: &ChannelName) -> Result<&mut Channel, StoreError> {
        let full = self.channels.len() >= self.channels_max;
        let life = self.life(name);
        let channel = match self.channels.entry(name.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if full => return Err(StoreError::Full),
            Entry::Vacant(entry) => {
                let head = begin(life, name);
                let age = Duration::ZERO;
                entry.insert(Channel { head, window: Window::default(), age, used: now.instant })
            }
        };
        channel.used = now.instant;
        Ok(channel)
    }

    /// What decides with which epoch a channel begins, beside its name.
    fn life(&self, name: &ChannelName) -> (u64, u64) {
        (self.secret, self.forgotten.get(&self.slots.of(name)).copied().unwrap_or(0))
    }

    /// Lets go of publications before their time, if histories take more memory than they may:
    /// first of the channel that was published in, and then of those that would be the next to
    /// expire.
    fn make_room(&mut self, published: &ChannelName) {
        while self.weight > self.weight_max {
            if self.channels.get(published).is_some_and(|own| own.window.len() > 1) {
                self.pop(published);
                continue;
            }
            let next = self.expiries.iter().find(|(_, name)| name != published);
            let Some(next) = next.cloned() else { return };
            self.pop_expiring(next);
        }
    }

    /// Lets go of the oldest publication of a channel among those that expire.
    fn pop_expiring(&mut self, next: (UnixMillis, ChannelName)) {
        self.expiries.remove(&next);
        if let Some((oldest, age)) = self.pop(&next.1) {
            self.expire_later(&next.1, oldest, age);
        }
    }

    /// Lets go of a channel's oldest publication; gives the time of the next, and how long the
    /// channel keeps what it has.
    fn pop(&mut self, name: &ChannelName) -> Option<(UnixMillis, Duration)> {
        let channel = self.channels.get_mut(name)?;
        self.weight -= channel.window.weight();
        channel.window.pop();
        self.weight += channel.window.weight();
        Some((channel.window.oldest()?, channel.age))
    }

    /// Ids rise even where the wall clock jumps back.
    fn make_id(&mut self, wall: UnixMillis) -> PublicationId {
        self.made = self.made.wrapping_add(1);
        if wall > self.last {
            (self.last, self.made) = (wall, 0);
        } else if self.made == 0 {
            self.last = self.last.plus_ms(1);
        }
        let unique = (u128::from(self.made) << 64) | u128::from(self.keys.random());
        PublicationId::new(self.last, unique)
    }

    fn expire_later(&mut self, channel: &ChannelName, oldest: UnixMillis, age: Duration) {
        let at = oldest.plus_ms(age.as_millis() as u64).plus_ms(1);
        self.expiries.insert((at, channel.clone()));
    }

    /// Lets go of publications that are too old.
    fn expire(&mut self, now: Now) {
        while let Some((at, name)) = self.expiries.first().cloned().filter(|e| e.0 <= now.wall) {
            self.expiries.remove(&(at, name.clone()));
            let Some(channel) = self.channels.get_mut(&name) else { continue };
            let age = channel.age;
            self.weight -= channel.window.weight();
            channel.window.expire(now.wall, age);
            self.weight += channel.window.weight();
            if let Some(oldest) = channel.window.oldest() {
                self.expire_later(&name, oldest, age);
            }
        }
    }
}

impl MemoryStore {
    /// Forgets channels that keep nothing and were not used for long, once there are many.
    fn forget(&mut self, now: Now) {
        let known = self.channels.len();
        let remembered = match known {
            _ if known <= self.channels_max / 2 => return,
            _ if known <= self.channels_max / 4 * 3 => REMEMBERED,
            _ => REMEMBERED_WHEN_FULL,
        };
        let dull = |channel: &Channel| {
            channel.window.is_empty() && now.instant.since(channel.used) > remembered
        };
        let mut slots = BTreeSet::new();
        self.channels.retain(|name, channel| {
            let dull = dull(channel);
            slots.extend(dull.then(|| self.slots.of(name)));
            !dull
        });
        slots.into_iter().for_each(|slot| *self.forgotten.entry(slot).or_default() += 1);
    }
}

impl Store for MemoryStore {
    fn submit(&mut self, now: Now, ticket: StoreTicket, request: StoreRequest) {
        let reply = match request {
            StoreRequest::Append { draft, keep } => {
                let Some((draft, keep)) = self.stay_for(ticket, draft, keep) else { return };
                self.append(now, draft, keep)
            }
            StoreRequest::Read(read) => Ok(self.read(now, read)),
            StoreRequest::Enter { channel, member } => {
                let moved = self.roster.enter(HERE, &channel, member);
                Ok(self.moved(channel, moved))
            }
            StoreRequest::Exit { channel, client } => {
                let moved = self.roster.exit(HERE, &channel, client);
                Ok(self.moved(channel, moved))
            }
            StoreRequest::Members { channel, limit } => {
                let (members, count) = self.roster.members(&channel, limit);
                Ok(StoreReply::Members { members, count })
            }
        };
        self.replies.push_back((ticket, reply.unwrap_or_else(StoreReply::Failed)));
    }

    fn poll_reply(&mut self) -> Option<(StoreTicket, StoreReply)> {
        self.replies.pop_front()
    }

    fn handle_timeout(&mut self, now: Now) {
        if now.instant < self.next_look {
            return;
        }
        self.next_look = now.instant.after(LOOK);
        // What is being handed over stays as it is.
        if !self.stay.here() {
            return;
        }
        self.expire(now);
        self.keys.expire(now.instant);
        self.forget(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next_look)
    }
}

/// There is nobody to tell but who asked.
impl Engine for MemoryStore {
    fn follow(&mut self, _: &ChannelName) {}

    fn unfollow(&mut self, _: &ChannelName) {}

    fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn flush(&mut self) {}

    fn poll_piece(&mut self, now: Now) -> Option<Bytes> {
        self.next_piece(now)
    }

    fn settle_hand_over(&mut self, now: Now, served: bool) {
        self.settle(now, served);
    }

    fn held_bytes(&self) -> usize {
        self.weight + self.channels.len() * CHANNEL_BYTES + self.keys.len() * KEY_BYTES
    }

    fn let_go(&mut self, bytes: usize) -> usize {
        let before = self.weight;
        while before - self.weight < bytes
            && let Some(next) = self.expiries.first().cloned()
        {
            self.pop_expiring(next);
        }
        before - self.weight
    }
}

fn publish(draft: Draft, id: PublicationId, position: Position, time: UnixMillis) -> Publication {
    let Draft { channel, name, reference, tags, from, data, .. } = draft;
    Publication { channel, id, position, time, name, reference, tags, from, data }
}

/// Where a channel stands that nobody has published in.
fn begin(life: (u64, u64), name: &ChannelName) -> Position {
    let mut hasher = DefaultHasher::new();
    (life, name.as_str()).hash(&mut hasher);
    Position { epoch: Epoch::new(hasher.finish()), offset: 0 }
}
