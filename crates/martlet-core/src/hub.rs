//! What routes publications on one node: the shard, which owns channels, and the lane, which
//! holds a worker's logs and its readers' places.

mod lane;
mod log;
mod shard;
mod tail;

pub use lane::{Lane, LaneLimits, LaneOutput, PAGE_PUBLICATIONS, ReaderKey, Visit, Wire, Wires};
pub use shard::{Delivery, LaneId, ReplyTo, Shard, ShardOutput, ShardStats};
