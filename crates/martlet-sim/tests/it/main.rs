//! What runs the worlds and the transcripts.

#![allow(clippy::unwrap_used)]

mod seeds;
mod vectors;
