//! `martlet.v1.json`: frames of JSON objects joined by line feeds.
//!
//! The server decodes commands and encodes events; the mirror for clients encodes commands and
//! decodes events. Data passes through untouched, as the JSON text it is.

mod answer;
mod ask;
mod command;
mod envelope;
mod heard;
mod publication;
#[cfg(test)]
mod tests;
mod write;

pub use answer::{encode_answer, encode_receipt};
pub use ask::encode_command;
pub use command::{COMMANDS, decode, decode_draft, draft};
pub use heard::{EVENTS, decode_answer};
pub use publication::{encode_join, encode_leave, encode_publication};

pub(crate) use publication::{
    close_object, gap_object, lagged_object, publication_object, refusal_object,
};

/// What stands between two objects in one frame.
pub const JOINT: &[u8] = b"\n";
