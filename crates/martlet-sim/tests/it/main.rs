//! What runs the worlds and the transcripts.

mod seeds;
