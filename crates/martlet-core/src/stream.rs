//! A channel's stream of publications: the window of kept ones, and the decision where in it a
//! reader begins.

mod packed;
mod recover;
mod window;

pub use recover::{Begin, Extent, begin};
pub use window::{Keep, Window};
