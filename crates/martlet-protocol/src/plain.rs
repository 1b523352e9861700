//! Plain streams: what `curl` and a bare `EventSource` can read (`docs/reference/plain.md`).
//!
//! A request's query becomes a `Connect` ([`Query`]); events and publications become
//! [`PlainEvent`]s; [`Places`] keeps the cursor that the ids of events are. How an event is
//! laid out as lines is the transport's.

mod event;
mod places;
mod query;
#[cfg(test)]
mod tests;

pub use event::{PlainEvent, publication_id};
pub use places::Places;
pub use query::{Query, Request};
