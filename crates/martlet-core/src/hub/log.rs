//! The log: a channel's ready frames for one wire, one after the other, and where each ends.
//!
//! It is not the history. It holds only what some reader on this worker has yet to be written,
//! and is empty while all have caught up. A reader's place in it is a sequence number.

use std::collections::VecDeque;

use crate::model::Offset;

#[cfg(test)]
mod tests;

/// The most spare bytes that an empty log keeps.
const SPARE_BYTES: usize = 4 * 1024;

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Where it ends, counted from the first byte the log ever had.
    end: u64,
    /// The channel's offset after it.
    offset: Offset,
}

/// Frames in order, numbered from 0 by sequence.
#[derive(Debug)]
pub struct Log {
    bytes: Vec<u8>,
    /// Where `bytes` begins, counted as in [`Frame::end`].
    start: u64,
    frames: VecDeque<Frame>,
    /// The sequence number of the first frame.
    first: u64,
    /// Where the first frame begins, counted as in [`Frame::end`]; bytes before it are dead.
    begin: u64,
    /// The offset before the first frame.
    before: Offset,
}

impl Log {
    /// An empty log whose first frame comes after `offset`.
    pub fn new(offset: Offset) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            frames: VecDeque::new(),
            first: 0,
            begin: 0,
            before: offset,
        }
    }

    /// The sequence number of the next frame.
    pub fn next(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// The channel's offset before the first frame: who has less cannot read on from here.
    pub fn before(&self) -> Offset {
        self.before
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// The number of bytes.
    pub fn byte_len(&self) -> usize {
        (self.end() - self.begin) as usize
    }

    /// Adds the frame that `write` appends; the channel stands at `offset` after it. Says whether
    /// there was one: a wire may have no words for something.
    pub fn append(&mut self, offset: Offset, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let before = self.bytes.len();
        write(&mut self.bytes);
        debug_assert!(self.bytes.len() >= before, "a wire only appends");
        if self.bytes.len() == before {
            if self.frames.is_empty() {
                self.before = offset;
            }
            return false;
        }
        let end = self.start + self.bytes.len() as u64;
        self.frames.push_back(Frame { end, offset });
        true
    }

    /// Everything from the frame `seq` on; `None` if that frame is here no more.
    pub fn from(&self, seq: u64) -> Option<&[u8]> {
        let index = seq.checked_sub(self.first)? as usize;
        Some(&self.bytes[self.byte_index(index)?..])
    }

    /// The frame `seq`, and the channel's offset after it.
    pub fn frame(&self, seq: u64) -> Option<(&[u8], Offset)> {
        let index = seq.checked_sub(self.first)? as usize;
        let frame = self.frames.get(index)?;
        let end = (frame.end - self.start) as usize;
        Some((&self.bytes[self.byte_index(index)?..end], frame.offset))
    }

    /// The sequence from which a reader goes on that has everything up to `offset`; `None` if
    /// frames in between are here no more.
    pub fn seq_after(&self, offset: Offset) -> Option<u64> {
        if offset < self.before {
            return None;
        }
        let index = self.frames.partition_point(|frame| frame.offset <= offset);
        Some(self.first + index as u64)
    }

    /// After `count` bytes from the frame `seq` on: the first frame not wholly in them, and how
    /// many bytes of that frame are in them.
    pub fn place_after(&self, seq: u64, count: usize) -> (u64, usize) {
        let index = (seq - self.first) as usize;
        let from = self.byte_index(index).unwrap_or(self.bytes.len()) as u64 + self.start;
        let reached = from + count as u64;
        let whole = self.frames.partition_point(|frame| frame.end <= reached).max(index);
        let begin = self.byte_index(whole).unwrap_or(self.bytes.len()) as u64 + self.start;
        (self.first + whole as u64, (reached - begin) as usize)
    }

    /// The channel's offset before the frame `seq`.
    pub fn offset_before(&self, seq: u64) -> Offset {
        match seq.checked_sub(self.first + 1) {
            Some(index) => self.frames.get(index as usize).map_or(self.before, |f| f.offset),
            None => self.before,
        }
    }

    /// Lets go of the oldest frames over the limits. The newest always stays.
    pub fn trim(&mut self, frames_max: usize, bytes_max: usize) {
        while self.frames.len() > 1
            && (self.frames.len() > frames_max || self.byte_len() > bytes_max)
        {
            self.pop();
        }
        let dead = (self.begin - self.start) as usize;
        if dead > self.bytes.len() / 2 {
            self.bytes.drain(..dead);
            self.start += dead as u64;
        }
    }

    /// Lets go of all frames: everybody has them. Keeps little memory.
    pub fn clear(&mut self) {
        let (next, end) = (self.next(), self.end());
        self.before = self.offset_before(next);
        self.first = next;
        self.frames.clear();
        (self.start, self.begin) = (end, end);
        self.bytes.clear();
        if self.bytes.capacity() > SPARE_BYTES {
            self.bytes = Vec::new();
            self.frames = VecDeque::new();
        }
    }

    /// Lets go of all frames, and goes on after `offset`, which readers behind do not have.
    pub fn jump(&mut self, offset: Offset) {
        self.clear();
        self.before = offset;
    }

    /// Lets go of the oldest frames until there are no more than `bytes_max`, and of spare memory;
    /// even of the newest, unless it is to stay.
    pub fn cut(&mut self, bytes_max: usize, newest_stays: bool) {
        let least = usize::from(newest_stays);
        while self.frames.len() > least && self.byte_len() > bytes_max {
            self.pop();
        }
        self.bytes.drain(..(self.begin - self.start) as usize);
        self.start = self.begin;
        self.bytes.shrink_to_fit();
        self.frames.shrink_to_fit();
    }

    /// How much memory it takes, spare memory too.
    pub fn weight(&self) -> usize {
        self.bytes.capacity() + self.frames.capacity() * size_of::<Frame>()
    }

    fn pop(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.first += 1;
            self.before = frame.offset;
            self.begin = frame.end;
        }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Where in `bytes` the frame at `index` begins; the end for the one after the last.
    fn byte_index(&self, index: usize) -> Option<usize> {
        let begin = match index.checked_sub(1) {
            None => self.begin,
            Some(before) => self.frames.get(before)?.end,
        };
        Some((begin - self.start) as usize)
    }
}
