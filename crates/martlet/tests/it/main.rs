//! Tests of the program as people run it: each starts the built binary.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]

#[cfg(target_os = "linux")]
mod bench;
mod cluster;
mod config;
mod examples;
mod help;
mod played;
mod program;
mod publish;
mod scaling;
mod subscribe;
mod successor;
mod together;
mod token;
