//! Stores and engines, one directory for each real product. Nothing here knows sessions or
//! protocols.

pub mod cluster;
pub mod interest;
pub mod memory;
pub mod nats;
mod random;
pub mod record;
pub mod redis;
pub mod remote;
