//! Redis as engine and store: histories in streams, numbered by a library of functions in one step
//! with keeping and telling; news by sharded channels. Redis 7 or a server that speaks like it.
//!
//! How it is laid out, and what it promises when Redis fails, is in `docs/decisions/0015`.

use martlet_core::model::NodeId;
use tokio::sync::mpsc;

use crate::remote::FarEnd;

mod calls;
mod canary;
mod desk;
mod keys;
mod link;
mod member;
mod router;
mod settings;
mod shore;
mod topology;
mod verdict;

pub use member::{Member, join};
pub use settings::{AddressError, Kind, Settings};

use shore::{Shore, Told, Where};

/// The far half of a worker's engine. It works until the near half is gone.
pub async fn run(settings: Settings, node: NodeId, far: FarEnd) {
    if settings.kind == Kind::Cluster {
        return router::run(settings, node, far).await;
    }
    let FarEnd { mut orders, inbox } = far;
    let (lost, _losses) = mpsc::unbounded_channel();
    let (told, taken) = mpsc::unbounded_channel();
    let shore = Shore::new(settings, Where::Settings, node, inbox, taken, lost);
    let passing_on = async move {
        while let Some(orders) = orders.recv().await {
            // The shore ends only when this has.
            let _ = told.send(Told::Orders(orders));
        }
    };
    tokio::join!(shore.run(), passing_on);
}
