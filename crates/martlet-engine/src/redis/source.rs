//! Where a shore hears what it is to do: of the worker itself where there is one Redis, so that a
//! question does not pass another task on its way; of the router where there are several.

use martlet_core::model::ChannelName;
use tokio::sync::mpsc;

use crate::remote::Order;

/// What a shore is told.
#[derive(Debug)]
pub(super) enum Told {
    /// What the worker wants.
    Orders(Vec<Order>),
    /// Channels are heard here from now on, and were elsewhere up to now.
    TakeOver(Vec<ChannelName>),
}

/// Who tells it.
#[derive(Debug)]
pub(super) enum Source {
    /// The worker.
    Worker(mpsc::UnboundedReceiver<Vec<Order>>),
    /// The router.
    Router(mpsc::UnboundedReceiver<Told>),
}

impl Source {
    /// What it is told next; `None` if nothing more will come. Loses nothing if it is dropped.
    pub async fn recv(&mut self) -> Option<Told> {
        match self {
            Self::Worker(orders) => orders.recv().await.map(Told::Orders),
            Self::Router(told) => told.recv().await,
        }
    }
}
