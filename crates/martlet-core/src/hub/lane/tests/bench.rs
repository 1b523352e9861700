//! What the lane's tests stand on: a lane with a wire of readable text, channels whose history
//! is a row of numbers, and readers whose sockets take as many bytes as a test says.
//!
//! Every frame ends with `;`. A publication is `a7;`, somebody's coming and going `a+1;` and
//! `a-1;`, a cursor `#7.0000000e.a;`, and what is owed privately stands in brackets.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::model::{ClientId, Data, Epoch, PublicationId, UnixMillis};
use crate::stream::Extent;

/// The wire most tests read.
pub const TEXT: Wire = Wire { number: 0, cursor: false };
/// The same in capitals.
pub const LOUD: Wire = Wire { number: 1, cursor: false };
/// One without words for coming and going.
pub const TERSE: Wire = Wire { number: 2, cursor: false };
/// One whose frames are followed by the reader's cursor.
pub const CURSOR: Wire = Wire { number: 0, cursor: true };

/// The first epoch of every channel.
pub const EPOCH: u64 = 1;

#[derive(Debug, Default)]
pub struct TextWires {
    /// How many frames were encoded.
    pub encoded: usize,
}

impl TextWires {
    fn put(&mut self, wire: Wire, text: String, out: &mut Vec<u8>) {
        self.encoded += 1;
        let text = if wire.number == LOUD.number { text.to_uppercase() } else { text };
        out.extend_from_slice(text.as_bytes());
    }
}

impl Wires for TextWires {
    fn publication(&mut self, wire: Wire, publication: &Publication, out: &mut Vec<u8>) {
        let Position { offset, .. } = publication.position;
        let Data::Bytes(data) = &publication.data else { panic!("tests publish bytes") };
        let data = std::str::from_utf8(data).unwrap();
        self.put(wire, format!("{}{offset}{data};", publication.channel), out);
    }

    fn join(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
        if wire.number != TERSE.number {
            self.put(wire, format!("{channel}+{};", member.client.bits()), out);
        }
    }

    fn leave(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
        if wire.number != TERSE.number {
            self.put(wire, format!("{channel}-{};", member.client.bits()), out);
        }
    }

    fn cursor(&mut self, _wire: Wire, cursor: &Cursor, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("#{cursor};").as_bytes());
    }
}

/// A channel's history: publications `first..=head` can be read.
#[derive(Debug, Clone, Copy)]
pub struct History {
    pub head: Position,
    pub first: Offset,
    pub kept: bool,
    /// How far the lane was given it.
    pub delivered: Position,
}

impl History {
    pub fn new(kept: bool) -> Self {
        let head = at(0);
        Self { head, first: 1, kept, delivered: head }
    }

    pub fn page(&self, channel: &ChannelName, after: Offset, limit: usize) -> Page {
        let first = if self.kept { self.first } else { self.head.offset + 1 };
        let from = first.max(after + 1);
        let publications = (from..=self.head.offset)
            .take(limit)
            .map(|offset| publication(channel, Position { epoch: self.head.epoch, offset }))
            .collect();
        let extent = Extent { head: self.head, first, kept: self.kept, previous: None };
        Page { extent, before: after, publications }
    }
}

pub struct Bench {
    pub lane: Lane,
    pub wires: TextWires,
    pub channels: BTreeMap<ChannelName, History>,
    /// Pages the lane asked for that nobody has answered.
    pub loads: VecDeque<(ChannelName, Offset)>,
    pub heard: BTreeMap<ReaderKey, String>,
    /// How many publications a page has.
    pub page: usize,
}

impl Bench {
    pub fn new(log_frames: usize, log_bytes: usize) -> Self {
        let limits = LaneLimits { log_frames, log_bytes, owed_bytes: 10_000 };
        Self {
            lane: Lane::new(limits, 7),
            wires: TextWires::default(),
            channels: BTreeMap::new(),
            loads: VecDeque::new(),
            heard: BTreeMap::new(),
            page: PAGE_PUBLICATIONS,
        }
    }

    pub fn channel(&mut self, channel: &str) -> &mut History {
        self.channels.entry(name(channel)).or_insert_with(|| History::new(true))
    }

    pub fn reader(&mut self, wire: Wire) -> ReaderKey {
        let key = self.lane.add_reader(Instant(0), wire);
        self.heard.insert(key, String::new());
        key
    }

    /// A reader follows a channel from the present on.
    pub fn follow(&mut self, key: ReaderKey, channel: &str) {
        let head = self.channel(channel).delivered;
        self.follow_after(key, channel, head);
    }

    /// A reader follows a channel from a position on, and is told so.
    pub fn follow_after(&mut self, key: ReaderKey, channel: &str, begin: Position) {
        let head = self.channel(channel).delivered;
        let channel = name(channel);
        self.tell(key, &format!("begin {channel} {} {}", begin.epoch, begin.offset));
        let followed =
            Followed { channel: channel.clone(), begin, head, gap: None, recovered: true };
        self.lane.begin(key, &channel, &followed);
        self.settle();
    }

    pub fn unfollow(&mut self, key: ReaderKey, channel: &str) -> bool {
        let ended = self.lane.end(key, &name(channel));
        if ended {
            self.tell(key, &format!("end {channel}"));
        }
        ended
    }

    /// Owes a reader a frame of its own.
    pub fn tell(&mut self, key: ReaderKey, text: &str) {
        self.lane.push(key, Bytes::from(format!("[{text}];"))).unwrap();
    }

    /// Appends a publication to the history, which the lane is not yet given.
    pub fn append(&mut self, channel: &str) {
        self.channel(channel).head.offset += 1;
    }

    /// Gives the lane the next publication of the history.
    pub fn deliver(&mut self, channel: &str) {
        let history = self.channel(channel);
        assert!(history.delivered.offset < history.head.offset, "there is one to deliver");
        history.delivered.offset += 1;
        let publication = publication(&name(channel), history.delivered);
        self.lane.deliver(&Delivery::Publication(publication), &mut self.wires);
        self.settle();
    }

    pub fn publish(&mut self, channel: &str) {
        self.append(channel);
        self.deliver(channel);
    }

    pub fn publish_many(&mut self, channel: &str, count: usize) {
        (0..count).for_each(|_| self.publish(channel));
    }

    pub fn join(&mut self, channel: &str, client: u64) {
        let delivery = Delivery::Join { channel: name(channel), member: member(client) };
        self.lane.deliver(&delivery, &mut self.wires);
    }

    pub fn leave(&mut self, channel: &str, client: u64) {
        let delivery = Delivery::Leave { channel: name(channel), member: member(client) };
        self.lane.deliver(&delivery, &mut self.wires);
    }

    /// The stream of a channel jumps.
    pub fn jump(&mut self, channel: &str, to: Position) {
        let history = self.channel(channel);
        history.delivered = to;
        if to.epoch != history.head.epoch {
            history.head = to;
            history.first = to.offset + 1;
        }
        let channel = name(channel);
        self.lane.deliver(&Delivery::Jump { channel, to }, &mut self.wires);
        self.settle();
    }

    /// Passes on what the lane wants done: readers are told, pages are written down.
    pub fn settle(&mut self) {
        while let Some(output) = self.lane.poll_output() {
            match output {
                LaneOutput::Load { channel, after } => self.loads.push_back((channel, after)),
                LaneOutput::Lagged { reader, channel, offset, head } => {
                    self.tell(reader, &format!("lagged {channel} {offset} {head}"));
                }
                LaneOutput::Doubted { reader, channel, offset, head } => {
                    self.tell(reader, &format!("doubted {channel} {offset} {head}"));
                }
                LaneOutput::Gap { reader, gap } => self.tell(reader, &gap_text(&gap)),
            }
        }
    }

    /// Answers the page that was asked for first. Says whether there was one.
    pub fn load(&mut self) -> bool {
        let Some((channel, after)) = self.loads.pop_front() else { return false };
        let page = self.channels[&channel].page(&channel, after, self.page);
        self.lane.handle_loaded(&channel, after, &page, &mut self.wires);
        self.settle();
        true
    }

    /// One visit to a reader whose socket takes `room` bytes.
    pub fn visit(&mut self, key: ReaderKey, room: usize) -> Visit {
        let Self { lane, wires, heard, .. } = self;
        let heard = heard.get_mut(&key).expect("a reader of this bench");
        let visit = lane.visit(Instant(1), key, wires, |slices| {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = bytes.len().min(room);
            heard.push_str(std::str::from_utf8(&bytes[..taken]).unwrap());
            Ok::<_, Infallible>(taken)
        });
        self.settle();
        visit.unwrap()
    }

    /// Visits whoever is marked, to sockets that take everything.
    pub fn sweep(&mut self) {
        for _ in 0..100_000 {
            let Some(key) = self.lane.poll_marked() else { return };
            self.visit(key, usize::MAX);
        }
        panic!("the sweep does not end");
    }

    /// Sweeps and answers pages until there is nothing to do.
    pub fn finish(&mut self) {
        for _ in 0..10_000 {
            self.sweep();
            if !self.load() {
                return;
            }
        }
        panic!("the lane asks for pages without end");
    }

    /// What the reader was written since this was last asked.
    pub fn heard(&mut self, key: ReaderKey) -> String {
        std::mem::take(self.heard.get_mut(&key).expect("a reader of this bench"))
    }

    /// Lets a reader follow `channel` and hear about it.
    pub fn listener(&mut self, wire: Wire, channel: &str) -> ReaderKey {
        let key = self.reader(wire);
        self.follow(key, channel);
        self.finish();
        self.heard(key);
        key
    }

    /// The sums of what is held are those of its parts.
    pub fn assert_weighed(&self) {
        let logs = self.lane.streams.iter().flat_map(|(_, stream)| &stream.logs);
        assert_eq!(self.lane.log_weight(), logs.map(WireLog::weight).sum::<usize>());
        let owed = self.lane.readers.iter().map(|(_, reader)| reader.owed_bytes());
        assert_eq!(self.lane.owed_weight(), owed.sum::<usize>());
    }

    pub fn assert_forgotten(&self) {
        assert_eq!((self.lane.log_weight(), self.lane.owed_weight()), (0, 0));
        assert_eq!(self.lane.log_bytes(), 0, "bytes are left in a log");
        assert!(self.lane.names.is_empty() && self.lane.streams.is_empty());
    }
}

pub fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

/// A position in the first epoch.
pub fn at(offset: Offset) -> Position {
    Position { epoch: Epoch::new(EPOCH), offset }
}

pub fn member(client: u64) -> Member {
    Member { client: ClientId::new(client), user: None, info: None }
}

/// A publication whose length depends on its offset, so that frames end anywhere, and whose
/// looks depend on its epoch.
pub fn publication(channel: &ChannelName, position: Position) -> Arc<Publication> {
    let dots = dot(position.epoch).repeat((position.offset % 3) as usize);
    Arc::new(Publication {
        channel: channel.clone(),
        id: PublicationId::new(UnixMillis(0), position.offset.into()),
        position,
        time: UnixMillis(0),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        data: Data::Bytes(dots.into()),
    })
}

pub fn dot(epoch: Epoch) -> &'static str {
    if epoch.bits() % 2 == 1 { "." } else { "!" }
}

/// The frames of publications `range` of a channel in its first epoch.
pub fn frames(channel: &str, range: std::ops::RangeInclusive<Offset>) -> String {
    range.fold(String::new(), |mut text, offset| {
        let dots = ".".repeat((offset % 3) as usize);
        write!(text, "{channel}{offset}{dots};").unwrap();
        text
    })
}

fn gap_text(gap: &Gap) -> String {
    let Gap { channel, from, to, reason, resume } = gap;
    let to = to.map_or("?".into(), |to| to.to_string());
    format!("gap {channel} {from} {to} {} {} {}", reason.as_str(), resume.epoch, resume.offset)
}
