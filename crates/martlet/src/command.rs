//! The subcommands: one file each, with its arguments (`Arguments`) and what it does (`run`).

use clap::Subcommand;

use crate::failure::Failure;

pub mod config;
pub mod serve;
pub mod token;

/// What the program can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(serve::Arguments),
    /// Check a configuration, or see every option there is.
    Config(config::Arguments),
    /// Make and read tokens, and make API keys.
    Token(token::Arguments),
}

/// Does what `command` says.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Config(arguments) => config::run(arguments),
        Command::Token(arguments) => token::run(arguments),
    }
}
