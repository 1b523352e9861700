//! The store that every node has built in: histories in memory, lost with the process. It
//! answers at once and never fails, except that it keeps no more channels than it may.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use martlet_core::model::{
    ChannelName, Draft, Epoch, Position, Publication, PublicationId, UnixMillis,
};
use martlet_core::port::{
    Page, Range, Read, Store, StoreError, StoreReply, StoreRequest, StoreTicket,
};
use martlet_core::stream::{Extent, Keep, Window};
use martlet_core::time::{Instant, Now};

mod keys;
#[cfg(test)]
mod tests;

use keys::Keys;

/// How long a channel without history is remembered after it was last used. Until then its
/// epoch and offset stand, so that nobody is told of a gap that is none.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How often it is looked for what may be forgotten.
const LOOK: Duration = Duration::from_secs(1);

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
    /// Channels that keep something, by when their oldest publication is too old.
    expiries: BTreeSet<(UnixMillis, ChannelName)>,
    keys: Keys,
    /// Makes ids unique among all stores of all nodes.
    unique: u64,
    made: u16,
    last: UnixMillis,
    replies: VecDeque<(StoreTicket, StoreReply)>,
    next_look: Instant,
}

impl MemoryStore {
    /// An empty store for at most `channels_max` channels. `random` seeds hashing, epochs and
    /// ids: two stores with different random bits never make the same id.
    pub fn new(now: Now, channels_max: usize, random: u64) -> Self {
        let hasher = foldhash::quality::FixedState::with_seed(random);
        Self {
            channels: HashMap::with_hasher(hasher),
            channels_max,
            expiries: BTreeSet::new(),
            keys: Keys::new(random),
            unique: random,
            made: 0,
            last: now.wall,
            replies: VecDeque::new(),
            next_look: now.instant.after(LOOK),
        }
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
        let first = channel.window.is_empty();
        channel.window.push(Arc::clone(&publication), keep);
        if first && keep.size > 0 {
            self.expire_later(&publication.channel, time, keep.age);
        }
        if let Some(key) = key {
            self.keys.keep(key, &publication, now.instant);
        }
        Ok(StoreReply::Appended { publication, duplicate: false })
    }

    fn read(&mut self, now: Now, read: Read) -> Result<StoreReply, StoreError> {
        let Read { channel, range, limit, keep } = read;
        let channel = self.channel(now, &channel)?;
        channel.window.expire(now.wall, keep.age);
        let head = channel.head;
        let first = channel.window.first().unwrap_or(head.offset + 1);
        let (before, publications) = match range {
            Range::After(offset) => (offset, channel.window.after(offset, limit)),
            Range::Since(time) => {
                let before = channel.window.before(time).unwrap_or(head.offset);
                (before, channel.window.after(before, limit))
            }
            Range::Until(offset) => (offset, channel.window.until(offset, limit)),
        };
        let extent = Extent { head, first, kept: keep.size > 0 };
        Ok(StoreReply::Page(Page { extent, before, publications }))
    }

    fn channel(&mut self, now: Now, name: &ChannelName) -> Result<&mut Channel, StoreError> {
        let full = self.channels.len() >= self.channels_max;
        let channel = match self.channels.entry(name.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if full => return Err(StoreError::Full),
            Entry::Vacant(entry) => {
                self.unique = scramble(self.unique);
                let head = Position { epoch: Epoch::new(self.unique), offset: 0 };
                let age = Duration::ZERO;
                entry.insert(Channel { head, window: Window::default(), age, used: now.instant })
            }
        };
        channel.used = now.instant;
        Ok(channel)
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
            channel.window.expire(now.wall, age);
            if let Some(oldest) = channel.window.oldest() {
                self.expire_later(&name, oldest, age);
            }
        }
    }
}

impl Store for MemoryStore {
    fn submit(&mut self, now: Now, ticket: StoreTicket, request: StoreRequest) {
        let reply = match request {
            StoreRequest::Append { draft, keep } => self.append(now, draft, keep),
            StoreRequest::Read(read) => self.read(now, read),
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
        self.expire(now);
        self.keys.expire(now.instant);
        let dull = |channel: &Channel| {
            channel.window.is_empty() && now.instant.since(channel.used) > REMEMBERED
        };
        if self.channels.len() > self.channels_max / 2 {
            self.channels.retain(|_, channel| !dull(channel));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next_look)
    }
}

fn publish(draft: Draft, id: PublicationId, position: Position, time: UnixMillis) -> Publication {
    let Draft { channel, name, reference, tags, from, data, .. } = draft;
    Publication { channel, id, position, time, name, reference, tags, from, data }
}

/// The next of a sequence of numbers that look random (SplitMix64). Epochs need to differ, not to
/// be secret.
fn scramble(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
