//! The whole world in one thread: nodes, workers, a store, clients and what can go wrong between
//! them, on a virtual clock and from one seed.
//!
//! It runs the real shard, lane, session and codecs; what is made up here is the world around
//! them. [`transcript`] replays golden transcripts through the same worker.

pub mod dice;
pub mod wire;
pub mod worker;
