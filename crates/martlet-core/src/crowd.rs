//! Many clients at once: who is let in when (`Admission`), and who is let go when (`Drain`).
//! Neither knows a session; whoever holds the sessions asks, and does what it is told.

mod admission;
mod drain;

pub use admission::{Admission, AdmissionRate, Arrival};
pub use drain::Drain;
