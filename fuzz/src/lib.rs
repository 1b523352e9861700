//! Every decoder of martlet as a function of bytes, with a corpus of inputs and a small mutator.
//!
//! `cargo test -p martlet-fuzz` runs each target on every file of `corpus/<target>/` and then on
//! mutations of them, always the same ones. `MARTLET_FUZZ_ROUNDS=1000000` runs as many mutations
//! of each target, `MARTLET_FUZZ_SEED=7` others. An input that broke a target is written to
//! `corpus/<target>/` by hand once it is understood, so that it is run for ever after.
//!
//! It is not guided by coverage; a fuzzer that is can call [`targets::TARGETS`] as they stand.

pub mod corpus;
pub mod mutator;
pub mod targets;
