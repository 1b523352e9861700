//! A channel as one lane knows it: where its stream is, and for each wire the log, the places of
//! its readers, and the pages of history for those behind.

use smallvec::SmallVec;

use super::Wire;
use crate::hub::log::Log;
use crate::model::{ChannelName, Offset, Position};

/// One reader's subscription, by reader and slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlaceRef {
    pub reader: u32,
    pub slot: u16,
}

/// The pages kept for readers who are behind. When a further one comes the oldest goes; whoever
/// still needs it asks again.
const PAGES_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Stream {
    pub name: ChannelName,
    pub head: Position,
    pub logs: SmallVec<[WireLog; 1]>,
    /// Scratch space of appending.
    pub woken: Vec<PlaceRef>,
}

/// A channel's log for one wire.
///
/// `places` is parted: first those who have everything, whom an append has to wake; then the
/// others, whom it need not look at.
#[derive(Debug)]
pub(super) struct WireLog {
    pub wire: Wire,
    pub frames: Log,
    pub pages: Vec<Log>,
    /// Offsets after which pages have been asked for.
    pub loading: SmallVec<[Offset; 2]>,
    /// Who waits for a page. May hold places that are gone.
    pub waiting: Vec<PlaceRef>,
    places: Vec<PlaceRef>,
    caught_up: usize,
    /// Live places that do not have everything.
    live_behind: usize,
    /// What it weighed when it was last asked.
    weighed: usize,
    /// Whether it had frames or pages then, and has let go of some since.
    held: bool,
    let_go: bool,
}

impl Stream {
    pub fn new(name: ChannelName, head: Position) -> Self {
        Self { name, head, logs: SmallVec::new(), woken: Vec::new() }
    }

    pub fn log_of(&mut self, wire: Wire) -> Option<&mut WireLog> {
        self.logs.iter_mut().find(|log| log.wire == wire)
    }

    pub fn log_for(&mut self, wire: Wire) -> &mut WireLog {
        let index = self.logs.iter().position(|log| log.wire == wire).unwrap_or_else(|| {
            self.logs.push(WireLog::new(wire, self.head.offset));
            self.logs.len() - 1
        });
        &mut self.logs[index]
    }

    pub fn byte_len(&self) -> usize {
        let pages = |log: &WireLog| log.pages.iter().map(Log::byte_len).sum::<usize>();
        self.logs.iter().map(|log| log.frames.byte_len() + pages(log)).sum()
    }
}

impl WireLog {
    fn new(wire: Wire, head: Offset) -> Self {
        Self {
            wire,
            frames: Log::new(head),
            pages: Vec::new(),
            loading: SmallVec::new(),
            waiting: Vec::new(),
            places: Vec::new(),
            caught_up: 0,
            live_behind: 0,
            weighed: 0,
            held: false,
            let_go: false,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether it has let go of something since it was last asked for its weight.
    pub fn has_let_go(&self) -> bool {
        self.let_go
    }

    /// How much memory frames and pages take.
    pub fn weight(&self) -> usize {
        self.frames.weight() + self.pages.iter().map(Log::weight).sum::<usize>()
    }

    /// Brings `total`, to which this log's weight was added when it was last asked, up to date.
    #[inline(never)]
    pub fn weigh(&mut self, total: &mut usize) {
        let weight = self.weight();
        *total = *total + weight - self.weighed;
        self.weighed = weight;
        (self.held, self.let_go) = (self.frames.len() > 0 || !self.pages.is_empty(), false);
    }

    /// Everyone who reads this log.
    pub fn places(&self) -> &[PlaceRef] {
        &self.places
    }

    /// Adds a place that is behind; gives its index.
    pub fn add(&mut self, place: PlaceRef) -> u32 {
        self.places.push(place);
        (self.places.len() - 1) as u32
    }

    /// All who had everything have something to read now.
    pub fn wake(&mut self, woken: &mut Vec<PlaceRef>) {
        woken.extend_from_slice(&self.places[..self.caught_up]);
        self.live_behind += self.caught_up;
        self.caught_up = 0;
    }

    /// A place that was behind the log is in it now, but not at its end.
    pub fn enter_live(&mut self) {
        self.live_behind += 1;
    }

    /// A live place fell out of the log.
    pub fn leave_live(&mut self) {
        self.live_behind -= 1;
        self.clear_if_read();
    }

    /// A live place has everything now. Gives the places that changed their index.
    pub fn settle(&mut self, index: u32) -> [(PlaceRef, u32); 2] {
        let to = self.caught_up;
        self.places.swap(index as usize, to);
        self.caught_up += 1;
        self.live_behind -= 1;
        self.clear_if_read();
        [(self.places[index as usize], index), (self.places[to], to as u32)]
    }

    /// Makes every place one that is behind.
    pub fn unsettle(&mut self) {
        (self.caught_up, self.live_behind) = (0, 0);
    }

    /// Takes a place out. Gives the places that changed their index.
    pub fn remove(&mut self, index: u32, live: bool) -> SmallVec<[(PlaceRef, u32); 2]> {
        let mut index = index as usize;
        let mut moved = SmallVec::new();
        if index < self.caught_up {
            self.caught_up -= 1;
            self.places.swap(index, self.caught_up);
            moved.push((self.places[index], index as u32));
            index = self.caught_up;
        } else if live {
            self.live_behind -= 1;
        }
        self.places.swap_remove(index);
        if let Some(place) = self.places.get(index) {
            moved.push((*place, index as u32));
        }
        self.clear_if_read();
        moved
    }

    /// Lets go of everything: nobody reads it any more.
    pub fn forget(&mut self) {
        (self.frames, self.pages) = (Log::new(0), Vec::new());
    }

    /// The page that goes on from `offset`.
    pub fn page_after(&self, offset: Offset) -> Option<(usize, u64)> {
        self.pages.iter().enumerate().find_map(|(i, page)| {
            let seq = page.seq_after(offset)?;
            (seq < page.next()).then_some((i, seq))
        })
    }

    /// Whether there is a page or a frame of the log for whoever has everything up to `offset`.
    pub fn goes_on(&self, offset: Offset) -> bool {
        self.frames.seq_after(offset).is_some() || self.page_after(offset).is_some()
    }

    /// Whether a page is on its way that will go on from `offset`.
    pub fn will_load(&self, offset: Offset, page: usize) -> bool {
        self.loading.iter().any(|after| *after <= offset && offset < after + page as u64)
    }

    pub fn add_page(&mut self, page: Log) {
        if self.pages.len() >= PAGES_MAX {
            self.pages.remove(0);
        }
        self.pages.push(page);
    }

    /// Lets go of frames that everybody has, and of pages when everybody is in the log.
    fn clear_if_read(&mut self) {
        if self.caught_up == self.places.len() {
            self.frames.clear();
            self.let_go = self.held;
        }
        if self.caught_up + self.live_behind == self.places.len() && !self.pages.is_empty() {
            self.pages = Vec::new();
            self.let_go = self.held;
        }
    }
}
