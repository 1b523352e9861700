//! Engines against the servers that they are for, started here on free ports.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]
#![allow(clippy::print_stderr, reason = "a test says what it counted, or why it is skipped")]

mod nats;
mod node;
mod redis;
mod server;
mod site;
