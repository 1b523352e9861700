//! `martlet config`: checks and explains the configuration.

use crate::failure::Failure;

/// Check a configuration, or see every option there is.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Does what the arguments say.
pub fn run(_arguments: Arguments) -> Result<(), Failure> {
    Err(Failure::failed("the configuration is not in this build yet"))
}
