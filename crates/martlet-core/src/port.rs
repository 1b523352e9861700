//! The ports: what the core needs from an engine and a store, said in the core's words.

mod engine;
mod store;

pub use engine::{Engine, News};
pub use store::{Page, Range, Read, Store, StoreError, StoreReply, StoreRequest, StoreTicket};
