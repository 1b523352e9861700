//! The lane's dealings with readers who are behind: pages of history for them, gaps where there
//! are none, and streams that jump.

use super::*;

/// A page stops at this many bytes, so that one reader's visit stays short.
const PAGE_BYTES: usize = 128 * 1024;

impl Lane {
    /// The shard read what comes after `after`, as [`LaneOutput::Load`] asked.
    pub fn handle_loaded(
        &mut self,
        channel: &ChannelName,
        after: Offset,
        page: &Page,
        wires: &mut impl Wires,
    ) {
        let Some(&key) = self.names.get(channel) else { return };
        let stream = &mut self.streams[key as usize];
        let head = stream.head;
        let current = page.extent.head.epoch == head.epoch;
        let (mut woken, mut any_stuck) = (Vec::new(), false);
        for log in &mut stream.logs {
            log.loading.retain(|loading| *loading != after);
            log.waiting.retain(|place| waiting_place(&mut self.readers, *place, key).is_some());
            if current && !log.waiting.is_empty() {
                fill(log, after, page, head.offset, wires);
            }
            let lost = (page.extent.first - 1).min(log.frames.before());
            let lost = if current { lost } else { 0 };
            // A page with nothing for whoever asked for it comes from a store that has yet to
            // hear what this lane knows. Asking again at once would ask without end: `retry` will.
            let waiting = std::mem::take(&mut log.waiting);
            let stuck = |place: &PlaceRef| {
                waiting_place(&mut self.readers, *place, key)
                    .is_some_and(|p| p.offset == after && lost <= after && !log.goes_on(after))
            };
            let (stay, go): (Vec<_>, Vec<_>) = waiting.into_iter().partition(stuck);
            any_stuck |= !stay.is_empty();
            log.waiting = stay;
            log.weigh(&mut self.weight.logs);
            woken.extend(go.into_iter().map(|place| (place, lost)));
        }
        if any_stuck {
            self.failed.push(channel.clone());
        }
        for (place, lost) in woken {
            self.wake_waiting(place, key, lost, page.extent.kept);
        }
    }

    /// The shard could not read. Waiting readers go on waiting; [`Lane::retry`] asks again.
    pub fn handle_load_failed(&mut self, channel: &ChannelName, after: Offset) {
        let Some(&key) = self.names.get(channel) else { return };
        for log in &mut self.streams[key as usize].logs {
            log.loading.retain(|loading| *loading != after);
        }
        self.failed.push(channel.clone());
    }

    /// Asks again for pages that could not be read, or were of no use. To be called now and then.
    pub fn retry(&mut self) {
        for channel in std::mem::take(&mut self.failed) {
            let Some(&key) = self.names.get(&channel) else { continue };
            let logs = self.streams[key as usize].logs.iter_mut();
            let stuck = logs.filter(|log| log.loading.is_empty());
            let waiting: Vec<_> = stuck.flat_map(|log| std::mem::take(&mut log.waiting)).collect();
            waiting.into_iter().for_each(|place| self.wake_waiting(place, key, 0, true));
        }
    }

    /// A waiting reader goes on, over what is lost if it has not had it.
    fn wake_waiting(&mut self, place: PlaceRef, stream: u32, lost: Offset, kept: bool) {
        let Some(entry) = waiting_place(&mut self.readers, place, stream) else { return };
        entry.state = State::Behind;
        let offset = entry.offset;
        if lost > offset {
            entry.offset = lost;
            let reason = if kept { GapReason::Expired } else { GapReason::NotKept };
            let to = Some(lost);
            self.tell_gap(place.reader, stream, offset + 1, to, reason, lost);
        }
        self.pend(place.reader, place.slot);
    }

    fn tell_gap(
        &mut self,
        reader: u32,
        stream: u32,
        from: Offset,
        to: Option<Offset>,
        reason: GapReason,
        resume: Offset,
    ) {
        let Stream { name, head, .. } = &self.streams[stream as usize];
        let resume = Position { epoch: head.epoch, offset: resume };
        let gap = Gap { channel: name.clone(), from, to, reason, resume };
        self.outputs.push_back(LaneOutput::Gap { reader: ReaderKey(reader), gap });
    }

    /// The stream of a channel jumps to `to`. In the same epoch everyone goes on from its own
    /// place, by pages; whoever really misses something learns that from them. In a new epoch
    /// old places mean nothing: everyone is told, and begins where the new history does.
    pub(super) fn jump(&mut self, channel: &ChannelName, to: Position, common: bool) {
        let Some(&key) = self.names.get(channel) else { return };
        let stream = &mut self.streams[key as usize];
        let same = stream.head.epoch == to.epoch;
        stream.head = to;
        let mut places = Vec::new();
        for log in &mut stream.logs {
            places.extend_from_slice(log.places());
            log.unsettle();
            log.waiting.clear();
            log.frames.jump(to.offset);
            if !same {
                log.pages.clear();
                log.loading.clear();
            }
            log.weigh(&mut self.weight.logs);
        }
        for place in places {
            let entry = &mut self.readers[place.reader as usize].places[place.slot as usize];
            (entry.state, entry.ahead) = (State::Behind, same && entry.offset > to.offset);
            let from = entry.offset + 1;
            if !same {
                let resume = if common { entry.offset.min(to.offset) } else { to.offset };
                entry.offset = resume;
                self.tell_gap(place.reader, key, from, None, GapReason::Epoch, resume);
            }
            self.pend(place.reader, place.slot);
        }
    }

    /// Nothing is heard of what happens in the channels: every reader may be behind.
    pub fn doubt(&mut self) {
        for (key, reader) in &self.readers {
            for place in reader.places.iter().filter(|place| place.state != State::Free) {
                let stream = &self.streams[place.stream as usize];
                self.outputs.push_back(LaneOutput::Doubted {
                    reader: ReaderKey(key as u32),
                    channel: stream.name.clone(),
                    offset: place.offset,
                    head: stream.head.offset,
                });
            }
        }
    }

    /// Finds a page for a place that is behind: its index and the frame to begin with. Where
    /// there is none, asks for it, and the place waits.
    pub(super) fn page_for(&mut self, key: ReaderKey, slot: u16) -> Option<(usize, u64)> {
        let reader = &mut self.readers[key.0 as usize];
        let place = &mut reader.places[slot as usize];
        let stream = &mut self.streams[place.stream as usize];
        let channel = &stream.name;
        let log = stream.logs.iter_mut().find(|log| log.wire == reader.wire)?;
        if let Some(found) = log.page_after(place.offset) {
            return Some(found);
        }
        place.state = State::Waiting;
        log.waiting.push(PlaceRef { reader: key.0, slot });
        if !log.will_load(place.offset, PAGE_PUBLICATIONS) {
            log.loading.push(place.offset);
            let load = LaneOutput::Load { channel: channel.clone(), after: place.offset };
            self.outputs.push_back(load);
        }
        None
    }
}

/// The place, if it is still there and still waiting.
fn waiting_place(readers: &mut Slab<Reader>, place: PlaceRef, stream: u32) -> Option<&mut Place> {
    let reader = readers.get_mut(place.reader as usize)?;
    let entry = reader.places.get_mut(place.slot as usize)?;
    (entry.state == State::Waiting && entry.stream == stream).then_some(entry)
}

/// Encodes a page for one wire, up to the head of the log: what comes after comes live.
fn fill(log: &mut WireLog, after: Offset, page: &Page, head: Offset, wires: &mut impl Wires) {
    let mut frames = Log::new(after.max(page.extent.first - 1));
    let known = page.publications.iter().filter(|p| p.position.offset <= head);
    for publication in known {
        let offset = publication.position.offset;
        frames.append(offset, |out| wires.publication(log.wire, publication, out));
        if frames.byte_len() >= PAGE_BYTES {
            break;
        }
    }
    if frames.len() > 0 {
        log.add_page(frames);
    }
}
