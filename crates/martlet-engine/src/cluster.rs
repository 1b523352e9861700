//! What nodes need of a server to be one cluster, beside their channels: who is alive, and a way
//! to say something to one of them or to all. One connection of the node does it; the trait is
//! what each product fills.

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::NodeId;
use tokio::sync::mpsc;

/// To whom something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum To {
    /// One node.
    Node(NodeId),
    /// Every node, this one too.
    All,
}

/// A node that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// Which one.
    pub node: NodeId,
    /// What it says of itself.
    pub about: Bytes,
}

/// What a node learns when it says that it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Everyone who lives, this node too, by id.
    pub alive: Vec<Alive>,
    /// The others had taken this node for dead: its members were, or will soon be, told to have
    /// left. It is alive again, and has to enter them again.
    pub forgotten: bool,
}

/// The server cannot be reached, or did not answer in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the engine cannot be reached: {0}")]
pub struct Unreachable(pub String);

/// What is said to this node, in the order in which each node said it. At most once: what is said
/// while a connection is broken may be lost.
pub type Heard = mpsc::UnboundedReceiver<Bytes>;

/// What a product fills.
///
/// Time is the server's or is measured from when the server last moved: no node's clock decides
/// who is dead.
#[expect(async_fn_in_trait, reason = "who uses it stays on one thread")]
pub trait Cluster {
    /// Says that this node lives for at least `lease`, and what it says of itself. Whoever has
    /// let its lease pass is dead from then on; the members of the dead are told to have left,
    /// once each, whichever node finds out, also if that one dies over it.
    async fn beat(&self, lease: Duration, about: Bytes) -> Result<Beat, Unreachable>;

    /// Agrees with all other nodes on something: the first to propose a value has all get that.
    async fn agree(&self, name: &str, proposal: Bytes) -> Result<Bytes, Unreachable>;

    /// Says something. It is sent in order, without waiting.
    fn say(&self, to: To, what: Bytes);

    /// This node stops: it is alive no more, and its members are told to have left unless they
    /// have entered elsewhere within `grace`.
    async fn leave(&self, grace: Duration) -> Result<(), Unreachable>;
}
