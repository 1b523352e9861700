//! `martlet.v1.proto`: frames of length-delimited Protobuf messages, the same words as JSON.
//!
//! The messages are made from `proto/martlet.proto` and kept in the tree, so that building needs
//! no Protobuf compiler; a test makes them anew and compares.

mod answer;
mod ask;
mod command;
mod frame;
mod heard;
#[rustfmt::skip]
#[allow(clippy::all, clippy::unwrap_used)]
mod messages;
mod publication;
#[cfg(test)]
mod tests;

pub use answer::encode_answer;
pub use ask::encode_command;
pub use command::decode;
pub use heard::decode_answer;
pub use publication::{encode_join, encode_leave, encode_publication};

/// What stands between two messages in one frame: nothing, for each says its length.
pub const JOINT: &[u8] = b"";
