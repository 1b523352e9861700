//! Who is in a channel.

mod member;
mod members;
mod roster;

pub use member::{Member, Moved};
pub use members::{Holder, Members};
pub use roster::Roster;
