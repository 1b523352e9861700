//! The sessions of one worker: by index, by key and by user, and the connection that carries each.

use std::hash::BuildHasher as _;
use std::time::Duration;

use hashbrown::{HashMap, HashTable};
use martlet_core::hub::ReaderKey;
use martlet_core::model::{ChannelName, ClientId, Refusal, SessionKey, UserId};
use martlet_core::session::{Polls, Session};
use martlet_core::time::{Instant, Wheel};
use martlet_transport::outlet::Outlet;
use slab::Slab;
use tokio::sync::oneshot;

use crate::mail::Whom;
use crate::wire::WireKind;
use crate::worker::Ticket;

/// A session of this worker. The second number tells apart sessions that had the same place one
/// after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionIndex(u32, u32);

/// The connection that carries a session.
pub struct Attachment {
    /// How events are written there.
    pub kind: WireKind,
    /// What a plain stream still waits for before it begins.
    pub opening: Option<Box<PlainOpening>>,
    /// How many bytes may be written until it is to end.
    pub left: Option<usize>,
    /// The polls that carry it, if no connection of its own does.
    pub polls: Option<Box<Polls<Ticket>>>,
}

impl Attachment {
    /// Whether it is carried by polls, of which none waits.
    pub fn between_polls(&self) -> bool {
        self.polls.as_ref().is_some_and(|polls| !polls.waiting())
    }

    /// No channel is waited for any more. Says whether bytes may be written: not before the head
    /// of the response is.
    pub fn end_opening(&mut self) -> bool {
        self.opening.iter_mut().for_each(|opening| opening.unanswered = 0);
        self.opening.take_if(|opening| opening.head_written);
        self.opening.is_none()
    }
}

/// A plain stream that has not begun. Nothing is written to it until the response's head has
/// been, and until every channel was answered for: only then is its cursor whole.
#[derive(Debug)]
pub struct PlainOpening {
    /// The channels asked for.
    pub channels: Vec<ChannelName>,
    /// How many of them have yet to be answered for.
    pub unanswered: usize,
    /// Told once whether the stream begins or is refused.
    pub decided: Option<oneshot::Sender<Result<(), Refusal>>>,
    /// Whether the response's head has been written.
    pub head_written: bool,
}

impl PlainOpening {
    /// A plain stream of `channels`.
    pub fn new(channels: Vec<ChannelName>, decided: oneshot::Sender<Result<(), Refusal>>) -> Self {
        let unanswered = channels.len();
        Self { channels, unanswered, decided: Some(decided), head_written: false }
    }

    /// A stream of the native protocol: it only waits for the head of its response.
    pub fn native() -> Self {
        Self { channels: Vec::new(), unanswered: 0, decided: None, head_written: false }
    }
}

/// What the sweep has to know of a reader, and nothing else: it passes over thousands at a time,
/// and each further place that it had to look at would cost more than what it does there.
pub(super) struct Carried {
    pub index: SessionIndex,
    /// Where bytes go.
    pub outlet: Outlet,
    /// Whether the entry has to be looked at after each write.
    pub watched: bool,
}

pub(super) struct Entry {
    pub session: Session,
    pub reader: Option<ReaderKey>,
    pub attachment: Option<Attachment>,
    /// Set once the last bytes are on their way.
    pub closing: bool,
    /// The transport's own code for the end, where it has one.
    pub close_code: Option<u16>,
    generation: u32,
    dirty: bool,
    /// Whether it has said who it is, or is over.
    greeted: bool,
    /// The earliest deadline that the wheel has for it.
    armed: Instant,
    listed: Option<UserId>,
}

pub(super) struct Sessions {
    entries: Slab<Entry>,
    generations: u32,
    /// By the client's name; few have the same.
    by_client: HashTable<SessionIndex>,
    hasher: foldhash::fast::RandomState,
    by_user: HashMap<UserId, Vec<SessionIndex>, foldhash::fast::RandomState>,
    by_reader: Vec<Option<Carried>>,
    dirty: Vec<SessionIndex>,
    wheel: Wheel<SessionIndex>,
    nearer: bool,
    attached: usize,
    handshakes: usize,
}

/// Deadlines are met to this granularity.
const SLOT: Duration = Duration::from_millis(250);
/// Two minutes of slots; later deadlines are passed over once a turn.
const SLOTS: usize = 480;

impl Sessions {
    pub fn new(now: Instant) -> Self {
        Self {
            entries: Slab::new(),
            generations: 0,
            by_client: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            by_user: HashMap::default(),
            by_reader: Vec::new(),
            dirty: Vec::new(),
            wheel: Wheel::new(now, SLOT, SLOTS),
            nearer: false,
            attached: 0,
            handshakes: 0,
        }
    }

    pub fn insert(
        &mut self,
        session: Session,
        reader: ReaderKey,
        attachment: Attachment,
        outlet: Outlet,
    ) -> SessionIndex {
        self.generations = self.generations.wrapping_add(1);
        let watched = attachment.left.is_some() || matches!(outlet, Outlet::Batch(_));
        let place = self.entries.insert(Entry {
            session,
            reader: Some(reader),
            attachment: Some(attachment),
            closing: false,
            close_code: None,
            generation: self.generations,
            dirty: false,
            greeted: false,
            armed: Instant(u64::MAX),
            listed: None,
        });
        let index = SessionIndex(place as u32, self.generations);
        self.attached += 1;
        self.handshakes += 1;
        let slot = reader.0 as usize;
        if self.by_reader.len() <= slot {
            self.by_reader.resize_with(slot + 1, || None);
        }
        self.by_reader[slot] = Some(Carried { index, outlet, watched });
        self.touch(index);
        index
    }

    pub fn get(&mut self, index: SessionIndex) -> Option<&mut Entry> {
        self.entries.get_mut(index.0 as usize).filter(|entry| entry.generation == index.1)
    }

    /// The entry, which will be settled.
    pub fn touch(&mut self, index: SessionIndex) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(index.0 as usize)?;
        if entry.generation != index.1 {
            return None;
        }
        if !std::mem::replace(&mut entry.dirty, true) {
            self.dirty.push(index);
        }
        Some(entry)
    }

    pub fn take_dirty(&mut self) -> Option<SessionIndex> {
        while let Some(index) = self.dirty.pop() {
            if let Some(entry) = self.get(index) {
                entry.dirty = false;
                return Some(index);
            }
        }
        None
    }

    /// The slot that the next session gets, which its key names.
    pub fn next_slot(&self) -> u32 {
        self.entries.vacant_key() as u32
    }

    pub fn by_key(&self, key: SessionKey) -> Option<SessionIndex> {
        let entry = self.entries.get(key.slot() as usize)?;
        (entry.session.key() == key).then_some(SessionIndex(key.slot(), entry.generation))
    }

    fn by_client(&self, client: ClientId) -> impl Iterator<Item = SessionIndex> {
        let same = self.by_client.iter_hash(self.hasher.hash_one(client)).copied();
        same.filter(move |index| self.client(*index) == Some(client))
    }

    fn client(&self, index: SessionIndex) -> Option<ClientId> {
        self.entries.get(index.0 as usize).map(|entry| entry.session.client())
    }

    fn list_client(&mut self, index: SessionIndex, client: ClientId) {
        let Self { entries, by_client, hasher, .. } = self;
        let hash = |index: &SessionIndex| {
            let entry = entries.get(index.0 as usize);
            hasher.hash_one(entry.map(|entry| entry.session.client()).unwrap_or(client))
        };
        by_client.insert_unique(hasher.hash_one(client), index, hash);
    }

    fn unlist_client(&mut self, index: SessionIndex, client: ClientId) {
        let hash = self.hasher.hash_one(client);
        if let Ok(listed) = self.by_client.find_entry(hash, |listed| *listed == index) {
            listed.remove();
        }
    }

    pub fn carried(&self, reader: ReaderKey) -> Option<&Carried> {
        self.by_reader.get(reader.0 as usize)?.as_ref()
    }

    pub fn by_reader(&self, reader: ReaderKey) -> Option<SessionIndex> {
        self.carried(reader).map(|carried| carried.index)
    }

    /// The connection ends once everything before this is written.
    pub fn finish(&mut self, index: SessionIndex) {
        let Some(entry) = self.get(index) else { return };
        entry.closing = true;
        let reader = entry.reader.map(|reader| reader.0 as usize);
        let carried = reader.and_then(|slot| self.by_reader.get_mut(slot)?.as_mut());
        carried.into_iter().for_each(|carried| carried.watched = true);
    }

    pub fn of(&self, whom: &Whom) -> Vec<SessionIndex> {
        match whom {
            Whom::User(user) => self.by_user.get(user).cloned().unwrap_or_default(),
            Whom::Client(client) => self.by_client(*client).collect(),
            Whom::Session(key) => self.by_key(*key).into_iter().collect(),
        }
    }

    /// Every reader with the connection that it is of.
    pub fn readers(&self) -> impl Iterator<Item = (ReaderKey, &Attachment)> {
        self.entries
            .iter()
            .filter_map(|(_, entry)| Some((entry.reader?, entry.attachment.as_ref()?)))
    }

    pub fn all(&self) -> Vec<SessionIndex> {
        self.entries.iter().map(|(i, entry)| SessionIndex(i as u32, entry.generation)).collect()
    }

    /// The client was let in: it may now be found by its user, and by the name it came back with.
    pub fn list(&mut self, index: SessionIndex) {
        let Some(entry) = self.get(index) else { return };
        let (client, user) = (entry.session.client(), entry.session.identity().user.clone());
        let before = std::mem::replace(&mut entry.listed, user.clone());
        self.list_client(index, client);
        if before != user {
            self.unlist_user(index, before);
            user.into_iter().for_each(|user| self.by_user.entry(user).or_default().push(index));
        }
    }

    pub fn detach(&mut self, index: SessionIndex) -> Option<(ReaderKey, Attachment)> {
        let entry = self.get(index)?;
        let reader = entry.reader.take()?;
        let attachment = entry.attachment.take()?;
        self.by_reader[reader.0 as usize] = None;
        self.attached -= 1;
        Some((reader, attachment))
    }

    pub fn remove(&mut self, index: SessionIndex) {
        if self.get(index).is_none() {
            return;
        }
        let entry = self.entries.remove(index.0 as usize);
        self.handshakes -= usize::from(!entry.greeted);
        self.unlist_client(index, entry.session.client());
        self.unlist_user(index, entry.listed);
    }

    fn unlist_user(&mut self, index: SessionIndex, user: Option<UserId>) {
        let Some(user) = user else { return };
        let Some(list) = self.by_user.get_mut(&user) else { return };
        list.retain(|listed| *listed != index);
        if list.is_empty() {
            self.by_user.remove(&user);
        }
    }

    /// Sets a deadline, unless an earlier one is set.
    pub fn arm(&mut self, index: SessionIndex, at: Instant) {
        let Some(entry) = self.get(index) else { return };
        if at < entry.armed {
            entry.armed = at;
            let first = self.wheel.poll_timeout().is_none_or(|next| at < next);
            self.wheel.insert(at, index);
            self.nearer |= first;
        }
    }

    /// The sessions whose deadline has come.
    pub fn take_due(&mut self, now: Instant) -> Vec<SessionIndex> {
        let mut due = Vec::new();
        self.wheel.handle_timeout(now, &mut due);
        due.retain(|index| {
            let Some(entry) = self.get(*index).filter(|entry| entry.armed <= now) else {
                return false;
            };
            entry.armed = Instant(u64::MAX);
            true
        });
        due
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wheel.poll_timeout()
    }

    /// Whether a deadline came nearer since this was asked last.
    pub fn take_nearer(&mut self) -> bool {
        std::mem::take(&mut self.nearer)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn attached(&self) -> usize {
        self.attached
    }

    /// Notes when a session has said who it is, or is over.
    pub fn count_greeted(&mut self, index: SessionIndex) {
        let Some(entry) = self.get(index) else { return };
        let greeted = entry.session.connected() || entry.session.ended();
        if greeted && !std::mem::replace(&mut entry.greeted, true) {
            self.handshakes -= 1;
        }
    }

    /// How many have not yet said who they are.
    pub fn handshakes(&self) -> usize {
        self.handshakes
    }
}

/// What a session takes here, beside what it has on the heap.
#[cfg(test)]
pub const ENTRY_BYTES: usize = size_of::<Entry>();
