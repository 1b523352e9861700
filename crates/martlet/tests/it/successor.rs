//! A node hands over to its successor, as people have it done: the built program gets SIGUSR2,
//! while clients read and publish and others connect.

#![allow(clippy::print_stderr, reason = "a test says what it counted, or why it is skipped")]

mod failing;
mod house;
mod killed;
mod notified;
mod passed;
mod rolling;
