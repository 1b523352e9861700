//! The store port. A store keeps publications and decides their order; for each channel there is
//! exactly one. The shard asks, and hears the answer whenever the store has it.

use std::sync::Arc;

use crate::model::{ChannelName, ClientId, Draft, Offset, Publication, UnixMillis};
use crate::presence::Member;
use crate::stream::{Extent, Keep};
use crate::time::{Instant, Now};

/// A question's number, chosen by the asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreTicket(pub u64);

/// What a store can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreRequest {
    /// Numbers, keeps and acknowledges a draft. One idempotency key publishes once.
    Append {
        /// What to publish.
        draft: Draft,
        /// How much of the channel is kept.
        keep: Keep,
    },
    /// Reads publications, or with a limit of 0 only the extent.
    Read(Read),
    /// A client of this node is in the channel. Answered by `Done`; who follows the channel, on
    /// whatever node, hears of it by the engine's news if it was not there before.
    Enter {
        /// The channel.
        channel: ChannelName,
        /// The client.
        member: Member,
    },
    /// A client of this node is in the channel no more; of no effect if it has entered on another
    /// node since. Answered by `Done`, and heard of like `Enter`.
    Exit {
        /// The channel.
        channel: ChannelName,
        /// The client.
        client: ClientId,
    },
    /// Asks who is in the channel, on all nodes. Answered by `Members`.
    Members {
        /// The channel.
        channel: ChannelName,
        /// The most members in the answer.
        limit: usize,
    },
}

impl StoreRequest {
    /// The channel it is about.
    pub fn channel(&self) -> &ChannelName {
        match self {
            Self::Append { draft, .. } => &draft.channel,
            Self::Read(read) => &read.channel,
            Self::Enter { channel, .. }
            | Self::Exit { channel, .. }
            | Self::Members { channel, .. } => channel,
        }
    }
}

/// A page to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The channel.
    pub channel: ChannelName,
    /// Which publications.
    pub range: Range,
    /// The most publications in the answer.
    pub limit: usize,
    /// How much of the channel is kept; what is older is not in the answer.
    pub keep: Keep,
}

/// Which publications of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Those after this offset, oldest first.
    After(Offset),
    /// Those of this time or later, oldest first.
    Since(UnixMillis),
    /// Those up to and including this offset, newest first.
    Until(Offset),
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreReply {
    /// The draft is a publication now.
    Appended {
        /// The publication. Of a repeated draft it is the first one, of which only the place, the
        /// id and the time need be known.
        publication: Arc<Publication>,
        /// Whether its key had been seen before, so that nothing was published.
        duplicate: bool,
    },
    /// A page.
    Page(Page),
    /// It is done.
    Done,
    /// Who is in the channel.
    Members {
        /// The members, no more than asked for.
        members: Vec<Member>,
        /// How many there are.
        count: usize,
    },
    /// It could not be done; nothing was published that was not said to be.
    Failed(StoreError),
}

/// A page of publications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What the history holds at this moment.
    pub extent: Extent,
    /// The offset before the range's first publication, also when the page is empty.
    pub before: Offset,
    /// The publications, in the range's order.
    pub publications: Vec<Arc<Publication>>,
}

/// Why a store did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or is broken.
    #[error("the store is not available")]
    Unavailable,
    /// It was asked and did not answer: it may have done it, or not.
    #[error("the store did not say whether it did it")]
    Unsure,
    /// It keeps as many channels as it may.
    #[error("the store keeps as many channels as it may")]
    Full,
    /// What it keeps has been handed over to another process.
    #[error("what the store keeps is handed over to another process")]
    Moved,
}

/// What a store implements. It never blocks: it takes a request, and the reply is polled for.
/// Replies to requests about one channel come in any order.
pub trait Store {
    /// Takes a request.
    fn submit(&mut self, now: Now, ticket: StoreTicket, request: StoreRequest);
    /// Gives a reply that is ready.
    fn poll_reply(&mut self) -> Option<(StoreTicket, StoreReply)>;
    /// Lets it do what time demands, such as forgetting.
    fn handle_timeout(&mut self, now: Now);
    /// When to call [`handle_timeout`](Self::handle_timeout).
    fn poll_timeout(&self) -> Option<Instant>;
}
