//! The whole world in one thread: nodes, workers, a store, clients and what can go wrong between
//! them, on a virtual clock and from one seed.
//!
//! It runs the real shard, lane, session and codecs; what is made up here is the world around
//! them. [`transcript`] replays golden transcripts through the same worker.

pub mod client;
pub mod contract;
pub mod depot;
pub mod dice;
pub mod follower;
pub mod link;
pub mod node;
pub mod options;
pub mod presence;
pub mod reader;
pub mod record;
pub mod shelf;
pub mod transcript;
pub mod transition;
pub mod wire;
pub mod worker;
pub mod world;
