//! Redis as engine and store: histories in streams, numbered by a library of functions in one step
//! with keeping and telling; news by sharded channels. Redis 7 or a server that speaks like it.
//!
//! How it is laid out, and what it promises when Redis fails, is in `docs/decisions/0016`.

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
mod source;
mod topology;
mod verdict;

pub use member::{Member, join};
pub use settings::{AddressError, Kind, Settings};

use shore::{Shore, Where};
use source::Source;

/// The far half of a worker's engine. It works until the near half is gone.
pub async fn run(settings: Settings, node: NodeId, far: FarEnd) {
    if settings.kind == Kind::Cluster {
        return router::run(settings, node, far).await;
    }
    let FarEnd { orders, inbox } = far;
    // Nobody looks for another server when this one is lost: it is found as the settings say.
    let (lost, _losses) = mpsc::unbounded_channel();
    Shore::new(settings, Where::Settings, node, inbox, Source::Worker(orders), lost).run().await;
}
