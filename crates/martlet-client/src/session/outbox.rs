//! What is to be sent on the present connection, in order, and how it is put into frames.

use std::collections::VecDeque;

use bytes::Bytes;
use martlet_core::session::{Command, Numbered};

use super::output::Ticket;
use super::requests::Requests;
use crate::codec::{Fit, FrameBuilder};
use crate::options::Wire;

/// The limit of a server that has not told its own yet.
const FRAME_BYTES: usize = 64 * 1024;

/// The queue of the present connection. It holds at most what waits in [`Requests`] and a few
/// commands for each channel.
#[derive(Debug)]
pub struct Outbox {
    wire: Wire,
    queue: VecDeque<Queued>,
    next_id: u32,
    frame_bytes: usize,
}

#[derive(Debug)]
enum Queued {
    Command(Numbered),
    Request(Ticket),
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
        Self { wire, queue: VecDeque::new(), next_id: 0, frame_bytes: FRAME_BYTES }
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
        self.queue.push_back(Queued::Command(numbered));
    }

    /// Puts a sign of life before everything else: the server waits for it.
    pub fn push_pong(&mut self) {
        let pong = Numbered { id: 0, command: Command::Pong };
        if !matches!(self.queue.front(), Some(Queued::Command(first)) if *first == pong) {
            self.queue.push_front(Queued::Command(pong));
        }
    }

    /// Queues a request.
    pub fn push_request(&mut self, ticket: Ticket) {
        self.queue.push_back(Queued::Request(ticket));
    }

    /// Forgets a request that has been given up.
    pub fn forget(&mut self, ticket: Ticket) {
        self.queue.retain(|queued| !matches!(queued, Queued::Request(t) if *t == ticket));
    }

    /// Forgets everything: the connection is gone.
    pub fn clear(&mut self) {
        self.queue.clear();
    }

    /// Whether something waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next frame, as full as it may be, and what fits into none.
    pub fn poll_frame(&mut self, requests: &mut Requests) -> (Option<Bytes>, Vec<Oversized>) {
        let mut frame = FrameBuilder::new(self.wire, self.frame_bytes);
        let mut oversized = Vec::new();
        while let Some(queued) = self.queue.pop_front() {
            match self.put(&mut frame, &queued, requests) {
                Fit::In => {}
                Fit::Next => {
                    self.queue.push_front(queued);
                    break;
                }
                Fit::Never => oversized.push(match queued {
                    Queued::Command(numbered) => Oversized::Command(numbered),
                    Queued::Request(ticket) => Oversized::Request(ticket),
                }),
            }
        }
        (frame.finish(), oversized)
    }

    fn put(&mut self, frame: &mut FrameBuilder, queued: &Queued, requests: &mut Requests) -> Fit {
        let ticket = match queued {
            Queued::Command(numbered) => return frame.add(numbered),
            Queued::Request(ticket) => *ticket,
        };
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
