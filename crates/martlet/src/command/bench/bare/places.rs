//! Each channel is one contiguous log of frames that are ready to go, each reader a place in it.
//! A sweep sends each reader everything from its place to the head by one send, and after a few
//! of them it is looked whether there is something new: that joins the bytes of those who have
//! not been visited yet.

use std::collections::VecDeque;

use super::{Delivery, Sockets};

/// Sends between two looks at what has come.
const SENDS: usize = 64;

/// Publications that are kept for those who come back.
const KEPT: usize = 1_000;

/// A log that is longer is cut to what somebody still needs.
const LOG_BYTES: usize = 4 * 1024 * 1024;

/// The loop of places.
#[derive(Default)]
pub struct Places {
    channels: Vec<Channel>,
    behind: VecDeque<usize>,
}

#[derive(Default)]
struct Channel {
    readers: Vec<Reader>,
    log: Vec<u8>,
    /// The place at which the log begins.
    base: u64,
    /// Where each of the kept publications begins.
    starts: VecDeque<u64>,
    published: u64,
    /// Who is visited next, and the head when this round began.
    next: usize,
    round: Option<u64>,
}

struct Reader {
    number: usize,
    place: u64,
    full: bool,
}

impl Channel {
    fn head(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    /// The place after the publication with this offset.
    fn place_after(&self, offset: u64) -> u64 {
        let oldest = self.published - self.starts.len() as u64;
        let index = offset.saturating_sub(oldest) as usize;
        self.starts.get(index).copied().unwrap_or_else(|| self.head())
    }

    fn append(&mut self, frame: &[u8]) {
        self.starts.push_back(self.head());
        if self.starts.len() > KEPT {
            self.starts.pop_front();
        }
        self.published += 1;
        self.log.extend_from_slice(frame);
        if self.log.len() > LOG_BYTES {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let places = self.readers.iter().map(|reader| reader.place);
        let needed = places.chain(self.starts.front().copied()).min().unwrap_or(self.base);
        self.log.drain(..(needed - self.base) as usize);
        self.base = needed;
    }

    /// Writes to a reader from its place to the head. Says whether there was something to write.
    fn visit(&mut self, at: usize, sockets: &mut Sockets) -> bool {
        let head = self.head();
        let reader = &mut self.readers[at];
        if reader.place == head || reader.full {
            return false;
        }
        let owed = &self.log[(reader.place - self.base) as usize..];
        reader.place += sockets.send_some(reader.number, owed) as u64;
        reader.full = reader.place < head;
        true
    }
}

impl Delivery for Places {
    fn follow(&mut self, channel: usize, reader: usize, seen: Option<u64>) -> &[u8] {
        let channel = super::of(&mut self.channels, channel);
        let head = channel.head();
        channel.readers.push(Reader { number: reader, place: head, full: false });
        let missed = seen.map_or(head, |offset| channel.place_after(offset));
        &channel.log[(missed - channel.base) as usize..]
    }

    fn forget(&mut self, channel: usize, reader: usize) {
        let channel = super::of(&mut self.channels, channel);
        channel.readers.retain(|other| other.number != reader);
        // Whoever moved up in the list would not be visited in this round.
        channel.round = channel.round.map(|_| u64::MAX);
    }

    fn publish(&mut self, channel: usize, frame: &[u8], _: &mut Sockets) {
        let at = channel;
        let channel = super::of(&mut self.channels, at);
        channel.append(frame);
        if channel.round.is_none() {
            (channel.next, channel.round) = (0, Some(channel.head()));
            self.behind.push_back(at);
        }
    }

    fn turn(&mut self, sockets: &mut Sockets) -> bool {
        let mut sends = 0;
        while sends < SENDS {
            let Some(at) = self.behind.front().copied() else { return false };
            let channel = &mut self.channels[at];
            if channel.next < channel.readers.len() {
                sends += usize::from(channel.visit(channel.next, sockets));
                channel.next += 1;
                continue;
            }
            self.behind.pop_front();
            let head = channel.head();
            let more = channel.round != Some(head);
            (channel.next, channel.round) = (0, more.then_some(head));
            if more {
                self.behind.push_back(at);
            }
        }
        true
    }

    fn writable(&mut self, channel: usize, reader: usize, sockets: &mut Sockets) {
        let channel = super::of(&mut self.channels, channel);
        if let Some(at) = channel.readers.iter().position(|other| other.number == reader) {
            channel.readers[at].full = false;
            channel.visit(at, sockets);
        }
    }
}
