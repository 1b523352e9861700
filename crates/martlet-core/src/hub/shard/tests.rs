//! Tests of the shard, by what its lanes are delivered and its askers answered.

use super::*;

mod announced;
mod follow;
mod members;
mod publish;
mod random;
mod world;
