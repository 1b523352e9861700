//! Who is in a channel.

mod member;
mod members;

pub use member::Member;
pub use members::{Holder, Members, Moved};
