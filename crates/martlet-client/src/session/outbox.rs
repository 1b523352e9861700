//! What is to be sent on the present connection, in order, and how it is put into frames.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use martlet_core::session::{Command, Numbered};

use super::output::Ticket;
use super::requests::Requests;
use crate::codec::{Fit, FrameBuilder};
use crate::options::Wire;

/// The limit of a server that has not told its own yet.
const FRAME_BYTES: usize = 64 * 1024;

/// What waits on the present connection: a few commands for each channel, which go first, and
/// requests in the order in which they were made.
#[derive(Debug)]
pub struct Outbox {
    wire: Wire,
    commands: VecDeque<Numbered>,
    requests: BTreeSet<Ticket>,
    next_id: u32,
    frame_bytes: usize,
}

/// Something that fits into no frame the server takes.
#[derive(Debug)]
pub enum Oversized {
    /// A command of the session itself.
    Command(Numbered),
    /// A request.
    Request(Ticket),
}

impl Outbox {
    /// An empty outbox that writes `wire`.
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            commands: VecDeque::new(),
            requests: BTreeSet::new(),
            next_id: 0,
            frame_bytes: FRAME_BYTES,
        }
    }

    /// The wire it writes.
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// The largest frame the server takes.
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// The server told the largest frame it takes.
    pub fn set_frame_bytes(&mut self, frame_bytes: usize) {
        self.frame_bytes = frame_bytes.max(1);
    }

    /// A number that no command of this connection has had.
    pub fn number(&mut self) -> u32 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }

    /// Queues a command and gives its number.
    pub fn push(&mut self, command: Command) -> u32 {
        let id = self.number();
        self.push_numbered(Numbered { id, command });
        id
    }

    /// Queues a command that has its number already.
    pub fn push_numbered(&mut self, numbered: Numbered) {
        self.commands.push_back(numbered);
    }

    /// Puts a sign of life before everything else: the server waits for it.
    pub fn push_pong(&mut self) {
        let pong = Numbered { id: 0, command: Command::Pong };
        if self.commands.front() != Some(&pong) {
            self.commands.push_front(pong);
        }
    }

    /// Queues a request.
    pub fn push_request(&mut self, ticket: Ticket) {
        self.requests.insert(ticket);
    }

    /// Forgets a request that has been given up.
    pub fn forget(&mut self, ticket: Ticket) {
        self.requests.remove(&ticket);
    }

    /// Forgets everything: the connection is gone.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.requests.clear();
    }

    /// Whether a command waits to be sent.
    pub fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Whether a request waits to be sent.
    pub fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// The next frame, as full as it may be, and what fits into none.
    pub fn poll_frame(&mut self, requests: &mut Requests) -> (Option<Bytes>, Vec<Oversized>) {
        let mut frame = FrameBuilder::new(self.wire, self.frame_bytes);
        let mut oversized = Vec::new();
        while let Some(command) = self.commands.pop_front() {
            match frame.add(&command) {
                Fit::In => {}
                Fit::Never => oversized.push(Oversized::Command(command)),
                Fit::Next => {
                    self.commands.push_front(command);
                    return (frame.finish(), oversized);
                }
            }
        }
        while requests.may_send()
            && let Some(ticket) = self.requests.pop_first()
        {
            match self.put(&mut frame, ticket, requests) {
                Fit::In => {}
                Fit::Never => oversized.push(Oversized::Request(ticket)),
                Fit::Next => {
                    self.requests.insert(ticket);
                    break;
                }
            }
        }
        (frame.finish(), oversized)
    }

    fn put(&mut self, frame: &mut FrameBuilder, ticket: Ticket, requests: &mut Requests) -> Fit {
        let id = self.number();
        // A request that has been given up meanwhile is passed over.
        let Some(numbered) = requests.numbered(ticket, id) else { return Fit::In };
        let fit = frame.add(&numbered);
        if fit == Fit::In {
            requests.handle_sent(ticket, id);
        }
        fit
    }
}
