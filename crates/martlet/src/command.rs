//! The subcommands: one file each, with its arguments (`Arguments`) and what it does (`run`).

use clap::Subcommand;

use crate::failure::Failure;

#[cfg(target_os = "linux")]
pub mod bench;
pub mod config;
mod connection;
pub mod drain;
pub mod publish;
pub mod serve;
pub mod subscribe;
pub mod token;

/// What the program can be told to do. What `--help` says of each is on its `Arguments`.
#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(serve::Arguments),
    Pub(Box<publish::Arguments>),
    Sub(Box<subscribe::Arguments>),
    Drain(drain::Arguments),
    Config(config::Arguments),
    Token(token::Arguments),
    #[cfg(target_os = "linux")]
    Bench(bench::Arguments),
}

/// Does what `command` says.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Pub(arguments) => publish::run(*arguments),
        Command::Sub(arguments) => subscribe::run(*arguments),
        Command::Drain(arguments) => drain::run(arguments),
        Command::Config(arguments) => config::run(arguments),
        Command::Token(arguments) => token::run(arguments),
        #[cfg(target_os = "linux")]
        Command::Bench(arguments) => bench::run(arguments),
    }
}
