//! Many clients at once: who is let in when (`Admission`), who is let go when (`Drain`), and what
//! is given up when memory gets short (`Budget`). None knows a session; whoever holds the sessions
//! asks, and does what it is told.

mod admission;
mod budget;
mod drain;

pub use admission::{Admission, AdmissionRate, Arrival};
pub use budget::{Budget, Level};
pub use drain::Drain;
