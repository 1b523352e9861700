//! Several nodes of the built program on one Redis, and real proxies before them: whatever fails,
//! what was accepted is delivered once to everybody in one order, or is in a gap that is told.
//!
//! Each test prints its counts; `cargo test -p martlet --test it cluster -- --nocapture` shows them.

#![allow(clippy::print_stderr, reason = "a test says what it counted, or why it is skipped")]

mod affinity;
mod anywhere;
pub mod counter;
mod delay;
mod failover;
pub mod http;
mod nodes;
pub mod notes;
mod once;
pub mod process;
mod proxy;
pub mod reader;
pub mod redis;
mod rolling;
mod stores;
mod talk;
pub mod verdict;
pub mod world;
