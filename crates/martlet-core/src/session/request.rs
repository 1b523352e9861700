//! What is asked of a channel's owner, by a session, a lane or the backend API, and its replies.

use crate::model::{Appended, ChannelName, ClientId, Draft, Gap, Offset, Position, Refusal};
use crate::port::Page;
use crate::presence::{Holder, Member};

use super::{HistoryPage, Start};

/// What can be asked of the shard that owns a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Counts one more follower and decides where it begins. Answered by `Followed`; from then
    /// on the asking worker's lane gets the channel's deliveries.
    Follow {
        /// The channel.
        channel: ChannelName,
        /// Where to start.
        start: Start,
    },
    /// Counts one follower less. Every `Followed` is matched by one of these.
    Unfollow {
        /// The channel.
        channel: ChannelName,
    },
    /// Publishes. Answered by `Published`, after the store took it.
    Publish(Draft),
    /// Reads a page of history for a client. Answered by `History`.
    Read {
        /// The channel.
        channel: ChannelName,
        /// Only publications on the far side of this place.
        start: Option<Start>,
        /// The most publications.
        limit: usize,
        /// Newest first.
        reverse: bool,
    },
    /// Reads what comes after an offset, for readers who are behind. Answered by `Loaded`.
    Load {
        /// The channel.
        channel: ChannelName,
        /// The last offset that the readers have.
        after: Offset,
        /// The most publications.
        limit: usize,
    },
    /// A client is in the channel.
    Enter {
        /// The channel.
        channel: ChannelName,
        /// The client.
        member: Member,
        /// Where its session lives.
        holder: Holder,
    },
    /// A client is in the channel no more.
    Exit {
        /// The channel.
        channel: ChannelName,
        /// The client.
        client: ClientId,
        /// Where its session lives.
        holder: Holder,
        /// Whether it may be back within the namespace's grace time.
        lost: bool,
    },
    /// Asks who is in the channel. Answered by `Members`.
    Members {
        /// The channel.
        channel: ChannelName,
        /// The most members.
        limit: usize,
    },
    /// Asks which channels there are. Answered by `Channels`.
    Channels {
        /// Only channels that begin so.
        prefix: Box<str>,
        /// The most channels.
        limit: usize,
    },
}

impl Request {
    /// The channel it is about; `None` for one about all channels.
    pub fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Publish(draft) => Some(&draft.channel),
            Self::Channels { .. } => None,
            Self::Follow { channel, .. }
            | Self::Unfollow { channel }
            | Self::Read { channel, .. }
            | Self::Load { channel, .. }
            | Self::Enter { channel, .. }
            | Self::Exit { channel, .. }
            | Self::Members { channel, .. } => Some(channel),
        }
    }
}

/// What the shard answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The channel is followed.
    Followed(Followed),
    /// The draft was published.
    Published(Appended),
    /// A page of history.
    History(HistoryPage),
    /// What readers who are behind asked for.
    Loaded(Page),
    /// Who is in the channel.
    Members {
        /// The members, no more than asked for.
        members: Vec<Member>,
        /// How many there are.
        count: usize,
    },
    /// Which channels there are, by name.
    Channels(Vec<ChannelState>),
    /// It was not done.
    Refused(Refusal),
}

/// A channel is followed: where the reader begins, and where the stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The channel.
    pub channel: ChannelName,
    /// The reader's stream begins after this position.
    pub begin: Position,
    /// The deliveries that the lane will get begin after this one.
    pub head: Position,
    /// What the reader asked for and cannot have.
    pub gap: Option<Gap>,
    /// Whether it asked to go on from a position and nothing is missing.
    pub recovered: bool,
}

/// What is known of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Its name.
    pub channel: ChannelName,
    /// Its newest position, if it is followed.
    pub head: Option<Position>,
    /// How many subscriptions it has.
    pub subscribers: usize,
    /// How many members it has.
    pub members: usize,
}
