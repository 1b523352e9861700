//! A whole node over real sockets: every way in, what it promises on each, and the HTTP API
//! against its description.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]

/// As in the program: it gives memory back, which some of these tests measure.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod follower;
mod http;
mod link;
mod node;
mod openapi;
mod route;
mod talk;

mod admission;
mod api;
mod clients;
mod draining;
mod identity;
mod living;
mod operations;
mod overload;
mod polling;
mod presence;
mod publishing;
mod recovering;
mod resuming;
mod rules;
mod slow;
mod stopping;
mod streaming;
mod tls;
mod uplink;
