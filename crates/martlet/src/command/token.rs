//! `martlet token`: makes and reads tokens.

use crate::failure::Failure;

/// Make and read tokens, and make API keys.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Does what the arguments say.
pub fn run(_arguments: Arguments) -> Result<(), Failure> {
    Err(Failure::failed("tokens are not in this build yet"))
}
