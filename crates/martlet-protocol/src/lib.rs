//! The front doors' grammars: frames into commands, and events and publications into frames.
//!
//! This crate is pure: bytes in, words of `martlet-core` out, and the other way round. It has no
//! sockets, no clock and no state that outlives a call, and no front door knows another:
//!
//! * [`native`]: what martlet's own clients speak, as JSON and as Protobuf;
//! * [`plain`]: what `curl` and a bare `EventSource` can read;
//! * [`codes`]: the pages and constants made from the table of codes.

pub mod codes;
mod error;
pub mod fuzz;
pub mod native;
pub mod plain;
#[doc(hidden)]
pub mod vectors;

pub use error::{FrameError, Refused};
