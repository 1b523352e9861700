//! The lane: a worker's logs of the channels it follows, and its readers' places in them.
//!
//! A publication is encoded once for each wire that is read here and appended to that wire's
//! log. Readers who had everything are marked; visiting a marked reader writes, in one go, what
//! it is owed privately and then everything from its places to the heads. There is no queue for
//! each reader: whoever is slow has a place farther back, and costs nothing else.
//!
//! A reader whose place is no longer in the log is *behind*: it is given pages of history, read
//! through [`LaneOutput::Load`] and shared by all who need the same, until it reaches the log.
//! So history, live delivery, catching up and lagging are one motion from different places.
//!
//! After every call that changes something, outputs are drained before the next visit: a `Gap`
//! or `Lagged` has to be among a reader's private bytes before the publications that follow it.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use slab::Slab;
use smallvec::SmallVec;

use self::marked::Marked;
use self::stream::{PlaceRef, Stream, WireLog};
use super::log::Log;
use super::shard::Delivery;
use crate::model::{ChannelName, Cursor, Gap, GapReason, Limits, Offset, Position, Publication};
use crate::port::Page;
use crate::presence::Member;
use crate::session::Followed;
use crate::time::Instant;

mod catch_up;
mod marked;
mod places;
mod stream;
#[cfg(test)]
mod tests;
mod visit;
mod weight;

/// One way to encode publications; readers of the same wire share the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wire {
    /// Which encoding; what the number means is the shell's business.
    pub number: u8,
    /// Whether each frame is followed by the reader's own cursor, because the shared bytes
    /// cannot carry it (a plain stream of several channels).
    pub cursor: bool,
}

/// The encodings. Each method appends one ready frame, or nothing if the wire has no words for
/// it.
pub trait Wires {
    /// Appends a publication.
    fn publication(&mut self, wire: Wire, publication: &Publication, out: &mut Vec<u8>);
    /// Appends the news that somebody entered.
    fn join(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>);
    /// Appends the news that somebody left.
    fn leave(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>);
    /// Appends what ends a frame of a wire with [`Wire::cursor`].
    fn cursor(&mut self, wire: Wire, cursor: &Cursor, out: &mut Vec<u8>);
}

/// How much a lane holds for readers who are behind or do not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// The most frames of one log.
    pub log_frames: usize,
    /// The most bytes of one log.
    pub log_bytes: usize,
    /// The most private bytes of one reader.
    pub owed_bytes: usize,
}

impl From<&Limits> for LaneLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            log_frames: limits.log_publications,
            log_bytes: limits.log_bytes,
            owed_bytes: limits.owed_bytes,
        }
    }
}

/// A reader of this lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReaderKey(pub u32);

/// What the lane wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneOutput {
    /// Read the channel's publications after this offset; answer by
    /// [`Lane::handle_loaded`] or [`Lane::handle_load_failed`].
    Load {
        /// The channel.
        channel: ChannelName,
        /// The last offset that the reader has.
        after: Offset,
    },
    /// Tell the reader that it fell behind.
    Lagged {
        /// Who.
        reader: ReaderKey,
        /// Where.
        channel: ChannelName,
        /// The last offset it was written.
        offset: Offset,
        /// The newest offset.
        head: Offset,
    },
    /// Tell the reader that it may be behind: nothing is heard of what happens in the channel.
    Doubted {
        /// Who.
        reader: ReaderKey,
        /// Where.
        channel: ChannelName,
        /// The last offset it was written.
        offset: Offset,
        /// The newest offset that is known here.
        head: Offset,
    },
    /// Tell the reader what it will never get.
    Gap {
        /// Who.
        reader: ReaderKey,
        /// What.
        gap: Gap,
    },
}

/// How many publications a page holds that is loaded for readers behind.
pub const PAGE_PUBLICATIONS: usize = 128;

/// What came of visiting a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// It has everything for now, or will be visited again.
    Written,
    /// It takes no more; call [`Lane::unblock`] when it does.
    Blocked,
    /// There was nothing for it.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its place is in the log.
    Live,
    /// Its place is before the log; pages of history bring it there.
    Behind,
    /// As `Behind`, and a page was asked for.
    Waiting,
    /// This slot is free.
    Free,
}

/// A subscription: a reader's place in one channel.
#[derive(Debug, Clone, Copy)]
struct Place {
    stream: u32,
    /// Where this place is in the log's list of places.
    index: u32,
    /// While `Live`: the next frame to be written.
    seq: u64,
    /// The last offset written.
    offset: Offset,
    state: State,
    /// Whether `offset` is one that the lane has not reached yet.
    ahead: bool,
}

/// Small, because there are many, and because a sweep passes over all of them.
#[derive(Debug)]
struct Reader {
    wire: Wire,
    marked: bool,
    blocked: bool,
    /// What is for this reader alone. Most of the time there is nothing.
    owed: Option<Box<Owed>>,
    places: SmallVec<[Place; 1]>,
    /// Slots of `places` with something to write.
    pending: SmallVec<[u16; 4]>,
    sent_at: Instant,
}

/// What is to be written to one reader only, before anything else.
#[derive(Debug, Default)]
struct Owed {
    /// The rest of a frame that a write stopped in.
    rest: Bytes,
    frames: VecDeque<Bytes>,
    /// How long the frames are.
    bytes: usize,
}

impl Owed {
    fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.frames.is_empty()
    }
}

impl Reader {
    /// Whether it is to be written a history.
    fn catches_up(&self) -> bool {
        self.pending.iter().any(|slot| self.places[usize::from(*slot)].state != State::Live)
    }

    /// How many bytes of its own it is owed.
    fn owed_bytes(&self) -> usize {
        self.owed.as_ref().map_or(0, |owed| owed.bytes + owed.rest.len())
    }

    /// Keeps the rest of a frame for the next visit.
    fn keep_rest(&mut self, rest: Bytes) {
        if !rest.is_empty() {
            self.owed.get_or_insert_default().rest = rest;
        }
    }
}

/// A worker's logs and its readers' places.
#[derive(Debug)]
pub struct Lane {
    limits: LaneLimits,
    readers: Slab<Reader>,
    streams: Slab<Stream>,
    names: HashMap<ChannelName, u32, FixedState>,
    marked: Marked,
    outputs: VecDeque<LaneOutput>,
    /// Channels of which a page could not be read, or told nothing that the lane did not know.
    failed: Vec<ChannelName>,
    /// Kept for the visits, so that they allocate nothing.
    steps: Vec<visit::Step>,
    cursors: Vec<u8>,
    /// How much memory it holds for its readers.
    weight: weight::Weight,
}

/// A reader's private queue is over its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overfull;

impl Lane {
    /// A lane without readers. `seed` is random, as for the shard.
    pub fn new(limits: LaneLimits, seed: u64) -> Self {
        Self {
            limits,
            readers: Slab::new(),
            streams: Slab::new(),
            names: HashMap::with_hasher(FixedState::with_seed(seed)),
            marked: Marked::default(),
            outputs: VecDeque::new(),
            failed: Vec::new(),
            steps: Vec::new(),
            cursors: Vec::new(),
            weight: weight::Weight::new(&limits),
        }
    }

    /// A connection begins to be written to.
    pub fn add_reader(&mut self, now: Instant, wire: Wire) -> ReaderKey {
        ReaderKey(self.readers.insert(Reader {
            wire,
            marked: false,
            blocked: false,
            owed: None,
            places: SmallVec::new(),
            pending: SmallVec::new(),
            sent_at: now,
        }) as u32)
    }

    /// A connection ends. The channels it followed are to be unfollowed by the caller.
    pub fn remove_reader(&mut self, key: ReaderKey) {
        let Some(reader) = self.readers.get(key.0 as usize) else { return };
        let slots: Vec<usize> = (0..reader.places.len()).collect();
        for slot in slots {
            self.remove_place(key, slot);
        }
        let reader = self.readers.remove(key.0 as usize);
        self.weight.owed -= reader.owed_bytes();
    }

    /// A reader follows a channel from now on; its first publication is the one after
    /// `followed.begin`.
    pub fn begin(&mut self, key: ReaderKey, channel: &ChannelName, followed: &Followed) {
        let Some(wire) = self.readers.get(key.0 as usize).map(|reader| reader.wire) else { return };
        let stream = self.stream_key(channel, followed.head);
        let head = self.streams[stream as usize].head;
        let begin = followed.begin;
        let offset = if begin.epoch == head.epoch { begin.offset } else { head.offset };
        let slot = self.free_slot(key);
        let log = self.streams[stream as usize].log_for(wire);
        let index = log.add(PlaceRef { reader: key.0, slot });
        let (live, ahead) = (offset == head.offset, offset > head.offset);
        let state = if live { State::Live } else { State::Behind };
        let seq = log.frames.next();
        if live {
            log.enter_live();
        }
        self.readers[key.0 as usize].places[slot as usize] =
            Place { stream, index, seq, offset, state, ahead };
        // Whoever begins at the head has everything, and hears of all that comes from now on, also
        // of what moves no offset.
        if live { self.settle(key, slot) } else { self.pend(key.0, slot) }
    }

    /// A reader follows a channel no more. Says whether it did.
    pub fn end(&mut self, key: ReaderKey, channel: &ChannelName) -> bool {
        let Some(slot) = self.slot_of(key, channel) else { return false };
        self.remove_place(key, slot);
        true
    }

    /// Owes a reader a frame of its own, in order with the rest. Nobody is too slow for one frame,
    /// however long: it is over the limit only together with what was owed before.
    pub fn push(&mut self, key: ReaderKey, frame: Bytes) -> Result<(), Overfull> {
        let Some(reader) = self.readers.get_mut(key.0 as usize) else { return Ok(()) };
        if frame.is_empty() {
            return Ok(());
        }
        let owed = reader.owed.get_or_insert_default();
        let before = owed.bytes;
        owed.bytes += frame.len();
        self.weight.owed += frame.len();
        let overfull = before > 0 && owed.bytes > self.limits.owed_bytes;
        owed.frames.push_back(frame);
        self.mark(key.0);
        if overfull { Err(Overfull) } else { Ok(()) }
    }

    /// The shard delivers something of a channel. A channel that nobody reads here any more is
    /// passed over: its last `Unfollow` is on its way.
    pub fn deliver(&mut self, delivery: &Delivery, wires: &mut impl Wires) {
        match delivery {
            Delivery::Publication(publication) => {
                let Position { offset, .. } = publication.position;
                let encode = |wires: &mut _, wire, out: &mut Vec<u8>| {
                    Wires::publication(wires, wire, publication, out);
                };
                self.append(&publication.channel, Some(offset), wires, encode);
            }
            Delivery::Join { channel, member } => {
                let encode = |wires: &mut _, wire, out: &mut Vec<u8>| {
                    Wires::join(wires, wire, channel, member, out);
                };
                self.append(channel, None, wires, encode);
            }
            Delivery::Leave { channel, member } => {
                let encode = |wires: &mut _, wire, out: &mut Vec<u8>| {
                    Wires::leave(wires, wire, channel, member, out);
                };
                self.append(channel, None, wires, encode);
            }
            Delivery::Jump { channel, to } => self.jump(channel, *to, false),
            Delivery::Renewed { channel, to } => self.jump(channel, *to, true),
        }
    }

    /// Nothing is to be written to a reader until [`Lane::unblock`].
    pub fn block(&mut self, key: ReaderKey) {
        self.readers.get_mut(key.0 as usize).into_iter().for_each(|reader| reader.blocked = true);
    }

    /// Changes the wire of a reader that follows nothing yet. Says whether it did.
    pub fn set_wire(&mut self, key: ReaderKey, wire: Wire) -> bool {
        let reader = self.readers.get_mut(key.0 as usize);
        let new = reader.filter(|r| r.places.iter().all(|place| place.state == State::Free));
        new.map(|reader| reader.wire = wire).is_some()
    }

    /// A reader that took no more takes bytes again.
    pub fn unblock(&mut self, key: ReaderKey) {
        let Some(reader) = self.readers.get_mut(key.0 as usize) else { return };
        reader.blocked = false;
        self.mark(key.0);
    }

    /// The next reader to visit.
    pub fn poll_marked(&mut self) -> Option<ReaderKey> {
        loop {
            let Self { marked, readers, .. } = self;
            let catches_up = |key| readers.get(key as usize).is_some_and(Reader::catches_up);
            let key = marked.pop(catches_up)?;
            let Some(reader) = readers.get_mut(key as usize) else { continue };
            reader.marked = false;
            if !reader.blocked {
                return Some(ReaderKey(key));
            }
        }
    }

    /// What it wants done.
    pub fn poll_output(&mut self) -> Option<LaneOutput> {
        self.outputs.pop_front()
    }

    /// Whether it wants something done.
    pub fn any_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// Whether some reader is marked.
    pub fn any_marked(&self) -> bool {
        !self.marked.is_empty()
    }

    /// When the reader was last written to.
    pub fn sent_at(&self, key: ReaderKey) -> Instant {
        self.readers.get(key.0 as usize).map_or(Instant(0), |reader| reader.sent_at)
    }

    /// Whether the reader is still owed bytes of its own.
    pub fn owes(&self, key: ReaderKey) -> bool {
        self.readers.get(key.0 as usize).is_some_and(|reader| reader.owed.is_some())
    }

    /// Whether there is, or may soon be, something to write to the reader.
    pub fn has_more(&self, key: ReaderKey) -> bool {
        let Some(reader) = self.readers.get(key.0 as usize) else { return false };
        let behind = |place: &Place| matches!(place.state, State::Behind | State::Waiting);
        self.any_output()
            || self.owes(key)
            || !reader.pending.is_empty()
            || reader.places.iter().any(behind)
    }

    /// How many bytes of its own the reader is owed.
    pub fn owed_bytes(&self, key: ReaderKey) -> usize {
        self.readers.get(key.0 as usize).map_or(0, Reader::owed_bytes)
    }

    /// How many readers there are.
    pub fn readers(&self) -> usize {
        self.readers.len()
    }

    /// How many channels are read here.
    pub fn channels(&self) -> usize {
        self.streams.len()
    }

    /// The position of the last publication written to the reader, in each of its channels.
    pub fn cursor(&self, key: ReaderKey) -> Cursor {
        let places = self.readers.get(key.0 as usize).map_or(&[][..], |reader| &reader.places[..]);
        let taken = places.iter().filter(|place| place.state != State::Free);
        Cursor::new(taken.map(|place| self.position(place, place.offset)).collect())
    }

    /// How many bytes the longest log holds for readers who do not have them yet.
    pub fn longest_log(&self) -> usize {
        let logs = self.streams.iter().flat_map(|(_, stream)| &stream.logs);
        logs.map(|log| log.frames.byte_len()).max().unwrap_or(0)
    }

    /// How many bytes the logs hold.
    pub fn log_bytes(&self) -> usize {
        self.streams.iter().map(|(_, stream)| stream.byte_len()).sum()
    }

    fn position(&self, place: &Place, offset: Offset) -> (ChannelName, Position) {
        let stream = &self.streams[place.stream as usize];
        (stream.name.clone(), Position { epoch: stream.head.epoch, offset })
    }

    /// Appends a frame to every log of the channel, and marks those who had everything before.
    /// Those who are behind will want it too: what the log has they need not read from the store,
    /// which may not keep it.
    fn append<W: Wires>(
        &mut self,
        channel: &ChannelName,
        offset: Option<Offset>,
        wires: &mut W,
        encode: impl Fn(&mut W, Wire, &mut Vec<u8>),
    ) {
        let Some(&key) = self.names.get(channel) else { return };
        let stream = &mut self.streams[key as usize];
        if let Some(offset) = offset {
            stream.head.offset = offset;
        }
        let offset = stream.head.offset;
        let mut woken = std::mem::take(&mut stream.woken);
        for log in &mut stream.logs {
            if log.frames.append(offset, |out| encode(wires, log.wire, out)) {
                log.wake(&mut woken);
                log.frames.trim(self.limits.log_frames, self.weight.log_bytes_max);
                log.weigh(&mut self.weight.logs);
            }
        }
        for place in woken.drain(..) {
            self.pend(place.reader, place.slot);
        }
        self.streams[key as usize].woken = woken;
    }
}
