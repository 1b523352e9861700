//! The built program and what the machine may do to it: no more descriptors, nobody who reads its
//! log, a stop in the middle, a sudden death. And what it gives back after a storm.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]

mod crowd;
mod machine;
mod served;
