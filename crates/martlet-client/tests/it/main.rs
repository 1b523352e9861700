//! The client against servers that a test plays itself, over real sockets.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]

mod api;
mod following;
mod lost;
mod peer;
mod publishing;
mod returning;
mod server;
mod slow;
mod sse;
mod tls;
mod websocket;
