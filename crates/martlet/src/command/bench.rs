//! `martlet bench`: measures a server as its users use it. The generator is made of bare sockets
//! on one thread and decodes next to nothing, so that it is not what is measured.

use std::time::Duration;

use super::serve;
use crate::failure::Failure;

mod api;
mod bare;
mod beside;
mod board;
mod channels;
mod chunks;
mod cluster;
mod compare;
mod connect;
mod connection;
mod cores;
mod crowd;
mod dialect;
mod door;
mod echo;
mod fanout;
mod files;
mod fleet;
mod frame;
mod hop;
mod idle;
mod interrupt;
mod join;
mod load;
mod machine;
mod overhead;
mod process;
mod publish;
mod recover;
mod report;
mod rounds;
mod serving;
mod socket;
mod started;
mod storm;
mod target;

/// How many clients are on their way in at once, where that is not what is measured.
const PARALLEL: usize = 64;

/// Measure a server: this program's own, or any that runs
///
/// One publication at a time, to 1,000 subscribers:  martlet bench fanout
///
/// The same beside a bare loop:                      martlet bench fanout --bare
///
/// Of a server that runs, with its process number:   martlet bench echo --url http://127.0.0.1:8000 --pid 4711
///
/// Without --url a server is started for the run, and ended with it. Everything is bounded in
/// time and number, and --json prints all figures.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    Fanout(Box<fanout::Arguments>),
    Channels(Box<channels::Arguments>),
    Echo(Box<echo::Arguments>),
    Idle(Box<idle::Arguments>),
    Connect(Box<connect::Arguments>),
    Recover(Box<recover::Arguments>),
    Cores(Box<cores::Arguments>),
    Publish(Box<publish::Arguments>),
    Overhead(Box<overhead::Arguments>),
    Cluster(Box<cluster::Arguments>),
    Hop(Box<hop::Arguments>),
    Join(Box<join::Arguments>),
    Storm(Box<storm::Arguments>),
    /// The server that is started for a run. It ends with its starter, however that ends.
    #[command(hide = true)]
    Serve(Box<serve::Arguments>),
    /// A bare loop, which --beside starts.
    #[command(hide = true)]
    Bare {
        way: bare::Way,
    },
}

/// Measures what the arguments say.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.kind {
        Kind::Fanout(arguments) => fanout::run(&arguments),
        Kind::Channels(arguments) => channels::run(&arguments),
        Kind::Echo(arguments) => echo::run(&arguments),
        Kind::Idle(arguments) => idle::run(&arguments),
        Kind::Connect(arguments) => connect::run(&arguments),
        Kind::Recover(arguments) => recover::run(&arguments),
        Kind::Cores(arguments) => cores::run(&arguments),
        Kind::Publish(arguments) => publish::run(&arguments),
        Kind::Overhead(arguments) => overhead::run(&arguments),
        Kind::Cluster(arguments) => cluster::run(&arguments),
        Kind::Hop(arguments) => hop::run(&arguments),
        Kind::Join(arguments) => join::run(&arguments),
        Kind::Storm(arguments) => storm::run(&arguments),
        Kind::Serve(arguments) => {
            serving::end_with_starter()?;
            serve::run(*arguments)
        }
        Kind::Bare { way } => bare::run(way),
    }
}

/// How long so many clients may take to get in.
fn opening_patience(clients: usize) -> Duration {
    Duration::from_secs(30) + Duration::from_millis(clients as u64)
}

/// A number of publications a second.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number of publications a second, up to 10000000".into()),
    }
}
