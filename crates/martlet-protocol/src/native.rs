//! The native protocol: what martlet's own clients speak (`docs/reference/protocol.md`).
//!
//! Two wires with the same words: [`json`] (`martlet.v1.json`) and [`proto`]
//! (`martlet.v1.proto`). Each decodes commands and encodes events for the server, and does the
//! reverse for clients and the simulator. What both check alike is in `check`; the state of a
//! conversation is the session's, in `martlet-core`.

pub(crate) mod check;
pub mod json;
pub mod proto;
mod said;
#[cfg(test)]
pub(crate) mod samples;
mod word;
