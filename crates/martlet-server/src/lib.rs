//! The server: it reads the configuration, knows whom to admit, and puts the pure crates, the
//! transports and an engine together. Logic that can do without sockets and clocks is not here
//! but in the crates below.

pub mod config;
pub mod drain;
pub mod handover;
pub mod identity;
pub mod keys;
pub mod node;
// For the benches, which count what encoding costs.
pub mod wire;

mod api;
mod clock;
mod cluster;
mod connection;
mod doors;
mod engine;
mod mail;
mod memory;
mod random;
mod rates;
mod revoked;
mod worker;
