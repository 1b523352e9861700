//! One connection between a client and a node: frames up, bytes down, each late, and whatever
//! can happen to them on the way.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use martlet_core::time::Instant;

use crate::dice::Dice;
use crate::transition::Place;

/// Who is at the client's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A native client.
    Client(usize),
    /// A plain reader.
    Reader(usize),
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    /// Who is at the client's end.
    pub end: End,
    /// Who is at the other.
    pub place: Place,
    /// Frames on their way up; `None` is the end.
    pub up: VecDeque<(Instant, Option<Vec<u8>>)>,
    /// Bytes on their way down; `None` is the end.
    pub down: VecDeque<(Instant, Option<Vec<u8>>)>,
    /// How many bytes are on their way down.
    pub down_bytes: usize,
    /// Whether the server waits for room.
    pub full: bool,
    /// Whether it has been cut.
    pub cut: bool,
    /// Whether everything is swallowed.
    pub silent: bool,
    /// How many bytes are read at a time, while the client is slow.
    pub pace: Option<usize>,
    /// When it last was silent or slow.
    pub disturbed_at: Option<Instant>,
    /// When it last took bytes.
    pub taken_at: Instant,
    /// Whether the server ended it, and there was room to say why.
    pub ended: bool,
    /// Whether the server's end is closed.
    pub server_gone: bool,
    /// Whether the client's end is closed.
    pub client_gone: bool,
    capacity: usize,
    delay: Duration,
    last_up: Instant,
    last_down: Instant,
}

impl Link {
    /// A connection that takes `capacity` bytes before its server waits, and is up to `delay`
    /// long.
    pub fn new(now: Instant, end: End, place: Place, capacity: usize, delay: Duration) -> Self {
        Self {
            end,
            place,
            up: VecDeque::new(),
            down: VecDeque::new(),
            down_bytes: 0,
            full: false,
            cut: false,
            silent: false,
            pace: None,
            disturbed_at: None,
            taken_at: now,
            ended: false,
            server_gone: false,
            client_gone: false,
            capacity,
            delay,
            last_up: now,
            last_down: now,
        }
    }

    /// The client sends a frame, or ends. Gives when it arrives.
    pub fn send(&mut self, now: Instant, frame: Option<Vec<u8>>, dice: &mut Dice) -> Instant {
        let at = now.after(dice.short_of(self.delay)).max(self.last_up);
        self.last_up = at;
        self.up.push_back((at, frame));
        at
    }

    /// The server writes; gives how many bytes were taken, and when they arrive.
    pub fn write(
        &mut self,
        now: Instant,
        slices: &[IoSlice<'_>],
        dice: &mut Dice,
    ) -> (usize, Option<Instant>) {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        let room = self.capacity.saturating_sub(self.down_bytes);
        let taken = total.min(room);
        self.full = taken < total;
        if taken == 0 {
            return (0, None);
        }
        let mut bytes = Vec::with_capacity(taken);
        for slice in slices {
            let left = taken - bytes.len();
            bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        self.taken_at = now;
        self.down_bytes += taken;
        let at = now.after(dice.short_of(self.delay)).max(self.last_down);
        self.last_down = at;
        self.down.push_back((at, Some(bytes)));
        (taken, Some(at))
    }

    /// The server ends it, after what is on its way. Gives when the client sees that.
    pub fn end_down(&mut self, now: Instant, dice: &mut Dice) -> Instant {
        self.server_gone = true;
        self.ended = !self.full;
        let at = now.after(dice.short_of(self.delay)).max(self.last_down);
        self.last_down = at;
        self.down.push_back((at, None));
        at
    }

    /// It breaks: some of the bytes on their way arrive, perhaps not a whole frame, and then
    /// each end sees the end. Gives when each does.
    pub fn cut(&mut self, now: Instant, dice: &mut Dice) -> (Instant, Instant) {
        self.cut = true;
        let mut keep = dice.below(self.down_bytes + 1);
        self.down_bytes = keep;
        for (_, bytes) in &mut self.down {
            let bytes = bytes.get_or_insert_default();
            bytes.truncate(keep);
            keep -= bytes.len();
        }
        self.down.retain(|(_, bytes)| bytes.as_ref().is_some_and(|bytes| !bytes.is_empty()));
        self.up.truncate(dice.below(self.up.len() + 1));
        let down = now.after(dice.short_of(self.delay * 10)).max(self.last_down);
        let up = now.after(dice.short_of(self.delay * 10)).max(self.last_up);
        (self.last_down, self.last_up) = (down, up);
        self.down.push_back((down, None));
        self.up.push_back((up, None));
        (up, down)
    }

    /// What has arrived at the server.
    pub fn take_up(&mut self, now: Instant) -> Option<Option<Vec<u8>>> {
        if self.up.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        self.up.pop_front().map(|(_, frame)| frame)
    }

    /// What has arrived at the client, no more than it reads at a time.
    pub fn take_down(&mut self, now: Instant) -> Option<Option<Vec<u8>>> {
        let (at, front) = self.down.front_mut()?;
        if *at > now {
            return None;
        }
        let most = self.pace.unwrap_or(usize::MAX);
        if let Some(bytes) = front.as_mut().filter(|bytes| bytes.len() > most) {
            let rest = bytes.split_off(most);
            let taken = std::mem::replace(bytes, rest);
            self.down_bytes -= taken.len();
            return Some(Some(taken));
        }
        let (_, taken) = self.down.pop_front()?;
        self.down_bytes -= taken.as_ref().map_or(0, Vec::len);
        Some(taken)
    }
}
