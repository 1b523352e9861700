//! `martlet bench channels`: many channels with few readers each. Only how many there are is
//! decided here; measured they are like [one channel with many](super::fanout).

use super::fanout::FanArguments;
use crate::failure::Failure;

/// One publisher, many small channels
///
/// 1,000 channels of ten:         martlet bench channels --bare
///
/// 10,000 of one:                 martlet bench channels --channels 10000 --subscribers-each 1
///
/// They are published to in turn, with so many publications in flight that the publisher's round
/// trip is not what is measured, and each in another channel, so that none go together.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many channels there are
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    channels: u32,

    /// How many follow each
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    subscribers_each: u32,

    /// How many publications are in flight at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,

    #[command(flatten)]
    fan: FanArguments,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { channels, subscribers_each, in_flight, fan } = arguments;
    let subscribers = *channels as usize * *subscribers_each as usize;
    fan.run("channels", subscribers, *channels as usize, *in_flight)
}
