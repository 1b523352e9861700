//! What the numbers stand for under which a worker's questions to shards are out.

use martlet_core::hub::{LaneId, ReplyTo};
use martlet_core::model::{ChannelName, Code, Offset};
use martlet_core::session::Reply;
use slab::Slab;
use tokio::sync::oneshot;

use super::SessionIndex;

#[cfg(test)]
mod tests;

/// Who waits for a reply.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A session, with the number by which it knows the question.
    Session(SessionIndex, u32),
    /// The lane, for what comes after an offset.
    Load(ChannelName, Offset),
    /// Somebody outside all workers.
    Outside(oneshot::Sender<Reply>),
    /// A batch, for the reply to the draft at a place in it.
    Batch(usize, usize),
}

/// An answer to somebody outside all workers, who may have gone; what was done stays done.
#[derive(Debug)]
pub(super) enum Outward {
    /// To one question.
    Reply(oneshot::Sender<Reply>, Reply),
    /// To a batch.
    Replies(oneshot::Sender<Vec<Reply>>, Vec<Reply>),
}

impl Outward {
    pub fn send(self) {
        match self {
            Self::Reply(to, reply) => drop(to.send(reply)),
            Self::Replies(to, replies) => drop(to.send(replies)),
        }
    }
}

/// The replies to a batch so far, in the order of its drafts.
#[derive(Debug)]
struct Batch {
    replies: Vec<Reply>,
    missing: usize,
    outside: oneshot::Sender<Vec<Reply>>,
}

/// The number that questions without an answer carry.
const NOBODY: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Tickets {
    waiting: Slab<Waiting>,
    batches: Slab<Batch>,
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

    /// A batch of so many drafts, each of which will wait for its own reply.
    pub fn batch(&mut self, drafts: usize, outside: oneshot::Sender<Vec<Reply>>) -> usize {
        let replies = vec![Reply::Refused(Code::Internal.into()); drafts];
        self.batches.insert(Batch { replies, missing: drafts, outside })
    }

    /// The reply to a draft of a batch came. The last one makes the answer.
    pub fn gather(&mut self, batch: usize, place: usize, reply: Reply) -> Option<Outward> {
        let gathered = self.batches.get_mut(batch)?;
        gathered.replies[place] = reply;
        gathered.missing -= 1;
        if gathered.missing > 0 {
            return None;
        }
        let Batch { replies, outside, .. } = self.batches.remove(batch);
        Some(Outward::Replies(outside, replies))
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
