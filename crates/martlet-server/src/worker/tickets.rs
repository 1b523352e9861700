//! What the numbers stand for under which a worker's questions to shards are out.

use martlet_core::hub::{LaneId, ReplyTo};
use martlet_core::model::{ChannelName, Offset};
use martlet_core::session::Reply;
use slab::Slab;
use tokio::sync::oneshot;

use super::SessionIndex;

/// Who waits for a reply.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A session, with the number by which it knows the question.
    Session(SessionIndex, u32),
    /// The lane, for what comes after an offset.
    Load(ChannelName, Offset),
    /// Somebody outside all workers.
    Outside(oneshot::Sender<Reply>),
}

/// The number that questions without an answer carry.
const NOBODY: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Tickets {
    waiting: Slab<Waiting>,
    /// How many of them are the lane's.
    loads: usize,
}

impl Tickets {
    pub fn give(&mut self, lane: LaneId, waiting: Waiting) -> ReplyTo {
        self.loads += usize::from(matches!(waiting, Waiting::Load(..)));
        ReplyTo { lane, ticket: self.waiting.insert(waiting) as u64 }
    }

    pub fn none(lane: LaneId) -> ReplyTo {
        ReplyTo { lane, ticket: NOBODY }
    }

    pub fn ask(&mut self, lane: LaneId, reply: oneshot::Sender<Reply>) -> ReplyTo {
        self.give(lane, Waiting::Outside(reply))
    }

    pub fn take(&mut self, ticket: u64) -> Option<Waiting> {
        let index = usize::try_from(ticket).ok()?;
        let waiting = self.waiting.try_remove(index)?;
        self.loads -= usize::from(matches!(waiting, Waiting::Load(..)));
        Some(waiting)
    }

    /// Whether the lane waits for something.
    pub fn any_load(&self) -> bool {
        self.loads > 0
    }
}
