//! What a session tells the world: its outputs, and the words for users among them.

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::{Appended, ChannelName, ClientId, Gap, Offset, Publication, UserId};
use martlet_core::session::{HistoryPage, Member, Start, Subscribed};

use super::retry::Permit;
use crate::address::Address;
use crate::error::{Error, Refused};

/// What the connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is being made.
    Connecting,
    /// It is there.
    Connected(Connection),
    /// It is not there.
    Disconnected {
        /// Why.
        why: Error,
        /// When it is tried again; `None` when it is not.
        retry_in: Option<Duration>,
    },
}

/// What the server said about a connection when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The client's public name.
    pub client: ClientId,
    /// The user it acts for.
    pub user: Option<UserId>,
    /// Whether the server still held the session, so that to others the client never left.
    pub resumed: bool,
}

/// What a subscription is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionEvent {
    /// The channel is followed from here on. Told again after every reconnect.
    Subscribed(Subscribed),
    /// A publication. None comes twice, and none is missing without a [`Gap`](Self::Gap).
    Publication(Box<Publication>),
    /// Publications that cannot be had any more.
    Gap(Gap),
    /// The reader fell behind and is being caught up from the history, or a gap follows.
    Lagged {
        /// Where it stands.
        offset: Offset,
        /// The newest publication.
        head: Offset,
    },
    /// Somebody entered the channel.
    Join(Member),
    /// Somebody left the channel.
    Leave(Member),
    /// The server ended the subscription. The last event.
    Unsubscribed(Refused),
    /// The server or the client could not do it. The last event, unless the error is temporary.
    Error(Error),
}

/// A request of this client, until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The store took the publication.
    Published(Appended),
    /// A page of history.
    History(Box<HistoryPage>),
    /// Who is in a channel, and how many they are.
    Presence(Vec<Member>, usize),
    /// A sign of life.
    Pong,
}

/// A connection to be opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Dial {
    /// The permission for it.
    pub permit: Permit,
    /// The node to connect to; `None` for the application's address.
    pub node: Option<Address>,
    /// The frame that is sent first.
    pub first: Bytes,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection.
    Dial(Dial),
    /// End the connection, if it is still there.
    HangUp,
    /// Get a token for the channel, or for the connection.
    Fetch(Option<ChannelName>),
    /// The state changed.
    State(State),
    /// Tell a subscription. `before` is where to start again if it cannot be told now.
    Event {
        /// The subscription's channel.
        channel: ChannelName,
        /// What it is told.
        event: SubscriptionEvent,
        /// Where it stood before.
        before: Start,
    },
    /// Tell a subscription its last event.
    Ended {
        /// The subscription's channel.
        channel: ChannelName,
        /// Why it ends.
        last: SubscriptionEvent,
    },
    /// The server began a subscription by itself.
    Offered(ChannelName),
    /// A request was answered.
    Reply(Ticket, Result<Reply, Error>),
}
