//! What runs the worlds and the transcripts.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]

mod contract;
mod seeds;
mod vectors;
