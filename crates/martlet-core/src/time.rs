//! Time that is passed in: instants, deadlines, backoff and rates. Nothing here reads a clock.

mod backoff;
mod instant;
mod rate;
mod wheel;

pub use backoff::Backoff;
pub use instant::{Instant, Now};
pub use rate::Rate;
pub use wheel::Wheel;
