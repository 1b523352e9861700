//! One visit to one reader: gather what it is owed, write it at once, and move its places by
//! what was taken.

use bytes::Buf as _;

use super::places::set_index;
use super::*;

/// The most slices and bytes of one visit, so that no reader keeps the others waiting.
const SLICES_MAX: usize = 64;
const BYTES_MAX: usize = 256 * 1024;

/// Something that a visit writes, in order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The rest of a frame.
    Rest { len: usize },
    /// One private frame.
    Owed { len: usize },
    /// Frames of a channel from `seq` on.
    Run { slot: u16, page: Option<usize>, seq: u64, len: usize },
    /// One frame of a channel, and the reader's cursor after it (a range of `cursors`).
    Unit { slot: u16, page: Option<usize>, seq: u64, len: usize, cursor: (usize, usize) },
}

impl Step {
    fn len(&self) -> usize {
        match self {
            Self::Rest { len } | Self::Owed { len } | Self::Run { len, .. } => *len,
            Self::Unit { len, cursor, .. } => len + cursor.1 - cursor.0,
        }
    }
}

impl Reader {
    /// So much of the rest of a frame was taken.
    fn take_rest(&mut self, taken: usize) {
        let Some(owed) = &mut self.owed else { return };
        owed.rest.advance(taken.min(owed.rest.len()));
        self.owed.take_if(|owed| owed.is_empty());
    }

    /// So much of the first frame of its own was taken; the rest is kept.
    fn take_owed(&mut self, taken: usize) {
        let Some(owed) = &mut self.owed else { return };
        let mut frame = owed.frames.pop_front().unwrap_or_default();
        owed.bytes -= frame.len();
        frame.advance(taken.min(frame.len()));
        owed.rest = frame;
        self.owed.take_if(|owed| owed.is_empty());
    }
}

impl Lane {
    /// Writes to a reader what it is owed and everything from its places to the heads, by one
    /// call of `write`, which says how many bytes were taken (0 if it would block).
    pub fn visit<E>(
        &mut self,
        now: Instant,
        key: ReaderKey,
        wires: &mut impl Wires,
        write: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<Visit, E> {
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        self.gather(key, wires, &mut steps);
        let total: usize = steps.iter().map(Step::len).sum();
        if total == 0 {
            self.steps = steps;
            return Ok(Visit::Nothing);
        }
        let taken = write(&self.slices(key, &steps));
        let visit = taken.map(|taken| self.take(now, key, &steps, taken, total));
        self.steps = steps;
        visit
    }

    fn gather(&mut self, key: ReaderKey, wires: &mut impl Wires, steps: &mut Vec<Step>) {
        let Some(reader) = self.readers.get_mut(key.0 as usize) else { return };
        if let Some(owed) = &reader.owed {
            let rest = (!owed.rest.is_empty()).then_some(Step::Rest { len: owed.rest.len() });
            steps.extend(rest);
            let frames = owed.frames.iter().take(SLICES_MAX);
            steps.extend(frames.map(|frame| Step::Owed { len: frame.len() }));
        }
        if !self.outputs.is_empty() {
            return;
        }
        let cursor = reader.wire.cursor;
        self.cursors.clear();
        let pending = std::mem::take(&mut reader.pending);
        let mut bytes = 0;
        for (i, slot) in pending.iter().enumerate() {
            if steps.len() >= SLICES_MAX || bytes >= BYTES_MAX {
                self.readers[key.0 as usize].pending.extend_from_slice(&pending[i..]);
                break;
            }
            let Some((page, seq)) = self.resolve(key, *slot) else { continue };
            let before = steps.len();
            if cursor {
                self.gather_units(key, *slot, page, seq, wires, steps);
            } else {
                let len = self
                    .log_at(key, *slot, page)
                    .and_then(|log| log.from(seq))
                    .map_or(0, <[u8]>::len);
                steps.push(Step::Run { slot: *slot, page, seq, len });
            }
            bytes += steps[before..].iter().map(Step::len).sum::<usize>();
            self.readers[key.0 as usize].pending.push(*slot);
        }
    }

    /// Where the place reads next: a page or the log, and the frame. `None` if it has to wait or
    /// has everything.
    fn resolve(&mut self, key: ReaderKey, slot: u16) -> Option<(Option<usize>, u64)> {
        self.pass_over_known(key, slot);
        let reader = &mut self.readers[key.0 as usize];
        let place = &mut reader.places[slot as usize];
        let stream = &mut self.streams[place.stream as usize];
        let head = stream.head.offset;
        let log = stream.logs.iter_mut().find(|log| log.wire == reader.wire)?;
        if place.state == State::Live && log.frames.from(place.seq).is_none() {
            place.state = State::Behind;
            log.leave_live();
            log.weigh(&mut self.weight.logs);
            let (reader, channel) = (key, stream.name.clone());
            let lagged = LaneOutput::Lagged { reader, channel, offset: place.offset, head };
            self.outputs.push_back(lagged);
            self.pend(key.0, slot);
            return None;
        }
        if place.state == State::Behind {
            match log.frames.seq_after(place.offset) {
                Some(seq) => {
                    (place.state, place.seq) = (State::Live, seq);
                    log.enter_live();
                }
                None => return self.page_for(key, slot).map(|(page, seq)| (Some(page), seq)),
            }
        }
        if place.state != State::Live {
            return None;
        }
        let seq = place.seq;
        let next = self.log_at(key, slot, None)?.next();
        if seq == next {
            self.settle(key, slot);
            return None;
        }
        Some((None, seq))
    }

    /// A reader that was ahead of this node does not get again what it has, and has not fallen
    /// behind when the log lets go of that.
    fn pass_over_known(&mut self, key: ReaderKey, slot: u16) {
        let place = self.readers[key.0 as usize].places[slot as usize];
        if !place.ahead || place.state != State::Live {
            return;
        }
        let head = self.streams[place.stream as usize].head.offset;
        let after = self.log_at(key, slot, None).and_then(|log| log.seq_after(place.offset));
        let entry = &mut self.readers[key.0 as usize].places[slot as usize];
        entry.seq = entry.seq.max(after.unwrap_or(0));
        entry.ahead = head < place.offset;
    }

    fn gather_units(
        &mut self,
        key: ReaderKey,
        slot: u16,
        page: Option<usize>,
        from: u64,
        wires: &mut impl Wires,
        steps: &mut Vec<Step>,
    ) {
        let wire = self.readers[key.0 as usize].wire;
        let mut seq = from;
        while steps.len() < SLICES_MAX {
            let Some((frame, offset)) = self.log_at(key, slot, page).and_then(|log| log.frame(seq))
            else {
                return;
            };
            let len = frame.len();
            let cursor = self.cursor_at(key, slot, offset, steps);
            let begin = self.cursors.len();
            wires.cursor(wire, &cursor, &mut self.cursors);
            steps.push(Step::Unit { slot, page, seq, len, cursor: (begin, self.cursors.len()) });
            seq += 1;
        }
    }

    /// The reader's cursor once the gathered steps, and `slot` up to `offset`, are written.
    fn cursor_at(&self, key: ReaderKey, slot: u16, offset: Offset, steps: &[Step]) -> Cursor {
        let places = &self.readers[key.0 as usize].places;
        let written = |other: u16| {
            let last = steps.iter().rev().find_map(|step| match step {
                Step::Unit { slot, page, seq, .. } if *slot == other => Some((*page, *seq)),
                _ => None,
            })?;
            self.log_at(key, other, last.0)?.frame(last.1).map(|(_, offset)| offset)
        };
        let positions = places.iter().enumerate().filter(|(_, p)| p.state != State::Free);
        Cursor::new(
            positions
                .map(|(i, place)| {
                    let other = i as u16;
                    let offset =
                        if other == slot { offset } else { written(other).unwrap_or(place.offset) };
                    self.position(place, offset)
                })
                .collect(),
        )
    }

    fn log_at(&self, key: ReaderKey, slot: u16, page: Option<usize>) -> Option<&Log> {
        let reader = &self.readers[key.0 as usize];
        let stream = &self.streams[reader.places[slot as usize].stream as usize];
        let log = stream.logs.iter().find(|log| log.wire == reader.wire)?;
        match page {
            Some(page) => log.pages.get(page),
            None => Some(&log.frames),
        }
    }

    fn slices<'a>(&'a self, key: ReaderKey, steps: &[Step]) -> SmallVec<[IoSlice<'a>; 8]> {
        let reader = &self.readers[key.0 as usize];
        let owed = reader.owed.as_ref();
        let mut frames = owed.iter().flat_map(|owed| &owed.frames);
        let mut slices = SmallVec::new();
        for step in steps {
            match *step {
                Step::Rest { .. } => slices.extend(owed.map(|owed| IoSlice::new(&owed.rest))),
                Step::Owed { .. } => slices.extend(frames.next().map(|frame| IoSlice::new(frame))),
                Step::Run { slot, page, seq, .. } => {
                    let bytes = self.log_at(key, slot, page).and_then(|log| log.from(seq));
                    slices.extend(bytes.map(IoSlice::new));
                }
                Step::Unit { slot, page, seq, cursor, .. } => {
                    let frame = self.log_at(key, slot, page).and_then(|log| log.frame(seq));
                    slices.extend(frame.map(|(bytes, _)| IoSlice::new(bytes)));
                    slices.push(IoSlice::new(&self.cursors[cursor.0..cursor.1]));
                }
            }
        }
        slices
    }

    /// Moves the reader on by the bytes that were taken.
    fn take(
        &mut self,
        now: Instant,
        key: ReaderKey,
        steps: &[Step],
        taken: usize,
        total: usize,
    ) -> Visit {
        // Else it is owed nothing before or after.
        let owed = matches!(steps.first(), Some(Step::Rest { .. } | Step::Owed { .. }));
        if owed || taken < total {
            return self.take_owing(now, key, steps, taken, total);
        }
        self.take_steps(now, key, steps, taken, total)
    }

    /// The same for a reader that is owed something of its own, or will be.
    #[inline(never)]
    fn take_owing(
        &mut self,
        now: Instant,
        key: ReaderKey,
        steps: &[Step],
        taken: usize,
        total: usize,
    ) -> Visit {
        let before = self.owed_bytes(key);
        let visit = self.take_steps(now, key, steps, taken, total);
        self.weight.owed = self.weight.owed + self.owed_bytes(key) - before;
        visit
    }

    #[inline(always)]
    fn take_steps(
        &mut self,
        now: Instant,
        key: ReaderKey,
        steps: &[Step],
        taken: usize,
        total: usize,
    ) -> Visit {
        let mut left = taken;
        for step in steps {
            let part = step.len().min(left);
            if part == 0 && step.len() > 0 {
                break;
            }
            left -= part;
            self.take_step(key, step, part);
        }
        let reader = &mut self.readers[key.0 as usize];
        if taken > 0 {
            reader.sent_at = now;
        }
        reader.blocked = taken < total;
        if reader.blocked {
            return Visit::Blocked;
        }
        if reader.owed.is_some() || !reader.pending.is_empty() {
            self.mark(key.0);
        }
        Visit::Written
    }

    fn take_step(&mut self, key: ReaderKey, step: &Step, taken: usize) {
        let reader = &mut self.readers[key.0 as usize];
        match *step {
            Step::Rest { .. } => reader.take_rest(taken),
            Step::Owed { .. } => reader.take_owed(taken),
            Step::Run { slot, page, seq, .. } => self.take_run(key, slot, page, seq, taken),
            Step::Unit { .. } => self.take_unit(key, step, taken),
        }
    }

    fn take_run(&mut self, key: ReaderKey, slot: u16, page: Option<usize>, seq: u64, taken: usize) {
        let Some(log) = self.log_at(key, slot, page) else { return };
        let (mut next, inside) = log.place_after(seq, taken);
        let mut rest = Bytes::new();
        if inside > 0
            && let Some((frame, _)) = log.frame(next)
        {
            rest = Bytes::copy_from_slice(&frame[inside..]);
            next += 1;
        }
        let offset = log.offset_before(next);
        self.readers[key.0 as usize].keep_rest(rest);
        self.move_place(key, slot, page, next, offset);
    }

    fn take_unit(&mut self, key: ReaderKey, step: &Step, taken: usize) {
        let Step::Unit { slot, page, seq, len, cursor } = *step else { return };
        let Some((frame, offset)) = self.log_at(key, slot, page).and_then(|log| log.frame(seq))
        else {
            return;
        };
        let end = &self.cursors[cursor.0..cursor.1];
        if taken < len + end.len() {
            let frame = &frame[taken.min(len)..];
            let rest = [frame, &end[taken.saturating_sub(len)..]].concat();
            self.readers[key.0 as usize].keep_rest(rest.into());
        }
        self.move_place(key, slot, page, seq + 1, offset);
    }

    fn move_place(
        &mut self,
        key: ReaderKey,
        slot: u16,
        page: Option<usize>,
        next: u64,
        offset: Offset,
    ) {
        let end = self.log_at(key, slot, page).map_or(0, Log::next);
        let place = &mut self.readers[key.0 as usize].places[slot as usize];
        place.offset = place.offset.max(offset);
        if page.is_none() {
            place.seq = next;
            if next == end {
                self.settle(key, slot);
            }
        }
    }

    /// The place has everything there is.
    pub(super) fn settle(&mut self, key: ReaderKey, slot: u16) {
        let reader = &mut self.readers[key.0 as usize];
        reader.pending.retain(|pending| *pending != slot);
        let Place { stream, index, .. } = reader.places[slot as usize];
        let wire = reader.wire;
        let Some(log) = self.streams[stream as usize].log_of(wire) else { return };
        for (place, index) in log.settle(index) {
            set_index(&mut self.readers, place, index);
        }
        if log.has_let_go() {
            log.weigh(&mut self.weight.logs);
        }
    }
}
