//! `martlet serve`: runs the server.

use crate::failure::Failure;

/// Run the server.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the server until it is told to stop.
pub fn run(_arguments: Arguments) -> Result<(), Failure> {
    Err(Failure::failed("the server is not in this build yet"))
}
