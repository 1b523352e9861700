//! The engine port. An engine brings to a node what happens in the channels that it follows,
//! wherever it happens, and is the store behind them. On one node alone both are that node's
//! memory.

use std::sync::Arc;

use bytes::Bytes;

use super::Store;
use crate::model::{ChannelName, Publication};
use crate::presence::Moved;
use crate::time::Now;

/// What an engine tells without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Somebody published in a channel that is followed; perhaps this node itself, perhaps told
    /// before, perhaps out of turn.
    Publication(Arc<Publication>),
    /// Somebody came to a channel that is followed, or went.
    Moved(ChannelName, Moved),
    /// News of these channels may have been lost, and are heard again from now on: the store
    /// knows what there was.
    Doubt(Vec<ChannelName>),
    /// The other nodes took this one for dead, and its members for gone: those who are here have
    /// to enter again.
    Forgotten,
    /// Nothing has been heard for so long that news are being lost, or the store cannot be
    /// reached.
    Silent,
    /// The engine is heard again. What was missed is named by `Doubt`.
    Heard,
}

/// What an engine implements, beside the store.
///
/// A store's answer to what is submitted after [`follow`](Self::follow) knows of everything that
/// happened before the news of the channel began: the two join without a hole.
pub trait Engine: Store {
    /// News of a channel are wanted.
    fn follow(&mut self, channel: &ChannelName);
    /// They are wanted no more; some may still come.
    fn unfollow(&mut self, channel: &ChannelName);
    /// Gives news.
    fn poll_news(&mut self) -> Option<News>;
    /// What was asked for in this turn may be sent: no more is coming.
    fn flush(&mut self);
    /// What the engine keeps in this process goes to another one, piece by piece: the next, or
    /// `None` after the last. From the first on it takes no drafts: they wait for
    /// [`settle_hand_over`](Self::settle_hand_over). An engine on a server keeps nothing here.
    fn poll_piece(&mut self, _: Now) -> Option<Bytes> {
        None
    }
    /// The hand-over has come to its end. If the other process serves now, no draft is taken any
    /// more; if not, everything is as before, and what waited is taken.
    fn settle_hand_over(&mut self, _: Now, _served: bool) {}

    /// How much of the node's own memory histories take.
    fn held_bytes(&self) -> usize {
        0
    }

    /// Lets go of about so many bytes of histories before their time, oldest publications first.
    /// Whoever needs them still is told of a gap. Says how many bytes it were.
    fn let_go(&mut self, _bytes: usize) -> usize {
        0
    }
}
