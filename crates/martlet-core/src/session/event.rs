//! What a client is told, in martlet's own words. Publications, joins and leaves of a channel
//! are encoded once for all by the lane; everything here is told to one client.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Appended, ChannelName, ClientId, Close, Gap, Offset, Position, Publication, Refusal,
    SessionKey, UnixMillis, UserId,
};
use crate::presence::Member;

/// An event with the number of the command it answers; 0 for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The command's number, or 0.
    pub id: u32,
    /// What is told.
    pub event: Event,
}

/// What a client can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is connected.
    Connected(Box<Connected>),
    /// It follows a channel; its publications follow this event.
    Subscribed(Subscribed),
    /// It follows a channel no more; `why` is given when it did not ask for that.
    Unsubscribed {
        /// The channel.
        channel: ChannelName,
        /// Why, if the client did not ask for it.
        why: Option<Refusal>,
    },
    /// Its publication was taken by the store.
    Published {
        /// The channel.
        channel: ChannelName,
        /// The store's receipt.
        appended: Appended,
    },
    /// One publication, told to this client alone (a page of history goes by this too).
    Publication(Arc<Publication>),
    /// A page of history.
    History(HistoryPage),
    /// Who is in a channel.
    Presence {
        /// The channel.
        channel: ChannelName,
        /// The members, no more than a page.
        members: Vec<Member>,
        /// How many there are.
        count: usize,
    },
    /// Somebody entered a channel.
    Join {
        /// The channel.
        channel: ChannelName,
        /// Who.
        member: Member,
    },
    /// Somebody left a channel.
    Leave {
        /// The channel.
        channel: ChannelName,
        /// Who.
        member: Member,
    },
    /// Publications that cannot be had any more.
    Gap(Gap),
    /// It fell behind and is being caught up.
    Lagged {
        /// The channel.
        channel: ChannelName,
        /// The last publication it was sent.
        offset: Offset,
        /// The newest publication.
        head: Offset,
    },
    /// The server asks for a sign of life.
    Ping,
    /// The sign of life it asked for.
    Pong {
        /// The server's wall clock.
        time: UnixMillis,
    },
    /// A newer token was taken; the time until which it is good, if it ends.
    Refreshed {
        /// The channel whose token it is; `None` for the connection's.
        channel: Option<ChannelName>,
        /// When the token ends, if it does.
        expires: Option<UnixMillis>,
    },
    /// A newer grant, to come back with.
    Grant {
        /// The grant.
        grant: Box<str>,
        /// When it ends.
        expires: UnixMillis,
    },
    /// A command was not done.
    Refused {
        /// The channel it was about, if it was about one.
        channel: Option<ChannelName>,
        /// Why.
        refusal: Refusal,
    },
    /// The connection ends.
    Closing(Close),
}

/// The first answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The client's public name.
    pub client: ClientId,
    /// The secret by which further requests find the session.
    pub session: SessionKey,
    /// The user the client acts for.
    pub user: Option<UserId>,
    /// Whether the session goes on that it named.
    pub resumed: bool,
    /// Proof of who it is and what it was admitted to, to come back with.
    pub grant: Box<str>,
    /// When the token ends, if it does.
    pub expires: Option<UnixMillis>,
    /// How long the server stays silent before it pings.
    pub ping: Duration,
    /// How long the server then waits for a pong.
    pub pong: Duration,
    /// The server's wall clock.
    pub time: UnixMillis,
    /// The largest frame the client may send, in bytes.
    pub frame_bytes: usize,
}

/// A subscription that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The channel.
    pub channel: ChannelName,
    /// The stream begins after this position.
    pub position: Position,
    /// The newest publication at this moment.
    pub head: Offset,
    /// Whether it asked to recover and nothing was missing.
    pub recovered: bool,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The channel.
    pub channel: ChannelName,
    /// The newest position of the channel.
    pub head: Position,
    /// The publications, in the order asked for.
    pub publications: Vec<Arc<Publication>>,
    /// Whether there are more beyond this page.
    pub more: bool,
}
