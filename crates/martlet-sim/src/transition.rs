//! All that can happen in the world.

use std::sync::Arc;
use std::time::Duration;

use martlet_core::hub::LaneId;
use martlet_core::model::{ChannelName, Publication};
use martlet_core::port::{StoreReply, StoreTicket};
use martlet_core::session::Verdict;

use crate::link::End;
use crate::worker::ConnectionId;

/// A worker of a node in one of the node's lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub node: usize,
    /// How often it has begun anew.
    pub life: u32,
    /// The worker.
    pub worker: LaneId,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Transition {
    /// A worker's letter reaches another worker of its node.
    Letter(Place, LaneId),
    /// A question reaches a store.
    Ask(usize, u64),
    /// A store's answer reaches the worker that asked.
    Reply(Place, StoreTicket, Box<StoreReply>),
    /// News of a publication reach another node.
    Announced(Place, Arc<Publication>),
    /// A worker writes to some of its readers.
    Sweep(Place),
    /// A worker's deadline comes.
    Tick(Place),
    /// A token was judged.
    Verdict(Place, u64, u32, Box<Verdict>),
    /// A frame, or the end, reaches a node.
    Up(ConnectionId),
    /// Bytes, or the end, reach a client.
    Down(ConnectionId),
    /// A connection takes bytes again.
    Writable(ConnectionId),
    /// A deadline of a client or reader comes.
    Wake(End),
    /// Everything is looked at whether it is in time and within its bounds.
    Inspect,
    /// Somebody does something.
    Deed,
    /// A trouble ends.
    Heal(Trouble),
    /// A node begins anew.
    Begin(usize),
}

/// What a client or a backend does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The backend publishes so many through a node.
    Backend(usize, ChannelName, usize),
    /// A client publishes so many.
    Publish(usize, ChannelName, usize),
    /// A client follows a channel.
    Follow(usize, ChannelName),
    /// A client follows a channel no more.
    Unfollow(usize, ChannelName),
    /// A client reads so many pages.
    History(usize, ChannelName, usize),
    /// A client asks who is there.
    Presence(usize, ChannelName),
    /// A client pings.
    Ping(usize),
    /// A client brings a newer token.
    Refresh(usize),
    /// The backend begins or ends a subscription.
    Impose(usize, ChannelName, bool),
    /// The backend ends a client's connection; it may come back, or not by itself.
    Disconnect(usize, bool),
    /// A client sends nonsense.
    Nonsense(usize),
}

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A connection breaks; all connections break.
    Cut(Option<ConnectionId>),
    /// A connection is not read, or only so many bytes at a time.
    Stall(ConnectionId, usize, Duration),
    /// A connection swallows everything and says nothing.
    Silent(ConnectionId),
    /// A node is gone with all it knew.
    Crash(usize),
    /// A node sends its clients away.
    Drain(usize),
    /// A store fails at everything.
    StoreFails(usize),
    /// A store loses its newest publications.
    StoreLoses(usize),
    /// Two nodes do not hear each other.
    Partition(usize, usize),
    /// A node's wall clock is wrong by so many milliseconds.
    Jump(usize, i64),
}
