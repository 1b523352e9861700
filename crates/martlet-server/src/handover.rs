//! A node's successor: a process on the same machine that takes its place, with its listening
//! sockets and, where the histories are in its memory, with these. Between the two is a line, a
//! pair of sockets; who starts the process and what becomes of it is not decided here.
//!
//! 1. The node sends its listening sockets.
//! 2. The successor reads its configuration, opens what it lacks, and asks for the rest.
//! 3. The node accepts and publishes no more; both wait. It sends everything that it keeps.
//! 4. The successor has everything and says that it is ready.
//! 5. The node tells it to go: from now on the successor accepts and publishes, and says so.
//!
//! If any of it fails before the last step, the node goes on as if nothing had been. A successor
//! that has not got everything never serves.

mod gate;
mod giving;
mod heritage;
mod line;
mod listeners;
mod taking;

pub(crate) use gate::{Gate, closed};
pub use giving::{Giver, NotTaken};
pub use heritage::{Beginning, Heritage};
pub use line::{Broken, Patience};
pub use listeners::{Listeners, Listening};
pub use taking::Taker;

#[cfg(test)]
mod tests;
