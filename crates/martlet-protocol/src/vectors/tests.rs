//! The golden transcripts.
