//! Tests of the lane, by what its readers are written.

use super::*;

mod behind;
mod bench;
mod cursors;
mod live;
mod places;
mod random;
mod weight;
