//! The `martlet` program: reads the command line, sets up logging, and runs one subcommand.
//! What a subcommand does is in its own file under `command/`.

use std::process::ExitCode;

use clap::Parser;

mod command;
mod configuration;
mod failure;
mod logging;
mod output;

use command::Command;

/// jemalloc gives memory back after a storm of connections; the system's allocator keeps it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The realtime server that never lands: any client, any transport, nothing lost.
///
/// Start a server on this machine, open to everybody on it:  martlet serve
///
/// Follow a channel:                                         martlet sub news
///
/// Publish into it from another terminal:                    martlet pub news '{"hello":1}'
#[derive(Debug, Parser)]
#[command(name = "martlet", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match command::run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
