//! Tests of the session, by what it asks for and what it tells its client.

use super::*;

mod bench;
mod commands;
mod connect;
mod ending;
mod following;
mod random;
mod tokens;
