//! The rules of the workspace that the compiler does not check: which crate may know which, which
//! module of the core may use which, what pure code may not touch, and how long things may get.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod crates;
mod modules;
mod purity;
mod shape;
mod sources;
