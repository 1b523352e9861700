//! The engine on NATS, against a `nats-server` that each test has for itself. Where the program is
//! missing nothing is tried, except in CI, where that is an error.

mod cluster;
mod faults;
mod promises;
mod proxy;
mod server;
mod site;
mod three;
mod world;
