//! `martlet bench join`: how many calls a node makes to Redis when it joins a cluster and its
//! clients follow thousands of channels, as Redis counts them.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::fleet::{Fleet, FleetArguments};
use super::report::{Report, Row, count};
use super::target::placed;
use super::{files, interrupt};
use crate::failure::Failure;

mod calls;
mod clients;

use calls::Calls;
use clients::Client;

/// How long all channels may take to be followed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node that joins, with clients who follow many channels
///
/// A hundred clients with a hundred channels each:  martlet bench join
///
/// One node is there. Another one joins it, and as soon as it listens its clients come, all at
/// once. Counted is what Redis was asked from then on until all of them follow all their channels,
/// by both nodes; and what its functions did for it inside. A node that joins before those that are
/// reported is told of in a note.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many channels are followed
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    channels: u32,

    /// How many of them each client follows
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=128))]
    channels_each: u32,

    /// How often a node joins
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    fleet: FleetArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    channels: u32,
    channels_each: u32,
    rounds: u32,
}

/// One joining.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    channels: u32,
    /// What was asked of Redis, all told.
    calls: u64,
    /// Of these, calls of functions.
    functions: u64,
    /// Of these, those that subscribe.
    subscriptions: u64,
    /// Commands that functions ran inside Redis.
    inside: u64,
    seconds: f64,
    redis_cpu_us_per_channel: Option<f64>,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "channels",
        "calls",
        "of functions",
        "subscribing",
        "commands inside",
        "Redis CPU/channel",
        "all followed after",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.server.clone(),
            count(f64::from(self.channels)),
            count(self.calls as f64),
            count(self.functions as f64),
            count(self.subscriptions as f64),
            count(self.inside as f64),
            super::report::maybe_microseconds(self.redis_cpu_us_per_channel),
            format!("{:.0} ms", self.seconds * 1000.0),
        ]
    }
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    files::raise();
    let Arguments { channels, channels_each, rounds, .. } = *arguments;
    let settings = Settings { channels, channels_each, rounds };
    let title = format!("join: {channels} channels, {channels_each} followed by each client");
    // All of it stays on the servers' cores but the clients, who only wait.
    let (fleet, workers) = placed(arguments.fleet.no_pin, |workers| {
        Ok((arguments.fleet.martlets(1, workers)?, workers))
    })?;
    let mut report = Report::new("join", title, settings, std::slice::from_ref(&fleet.whole));
    // With the first one Redis gets what it is given only once: it is told apart.
    let first = arguments.joining(&fleet, workers, 1)?;
    report.notes.push(format!(
        "the first node to join made {} calls, and is not among these: with it functions set up \
         what every partition has, and Redis counts that as if it had been asked",
        first.calls
    ));
    for round in 0..rounds {
        report.results.push(arguments.joining(&fleet, workers, round as usize + 2)?);
    }
    report.print(arguments.json)
}

impl Arguments {
    fn joining(&self, fleet: &Fleet, workers: u32, round: usize) -> Result<Measured, Failure> {
        let store = &fleet.store;
        let before = Calls::of(store)?;
        let mut node = self.fleet.martlet(workers, Some(store))?;
        node.door.number = round;
        let (begun, cpu) = (Instant::now(), store.process().cpu());
        let channels: Vec<usize> = (0..self.channels as usize).collect();
        let mut clients = Vec::new();
        for share in channels.chunks(self.channels_each as usize) {
            clients.push(Client::come(&node.door, share, PATIENCE)?);
        }
        for client in &mut clients {
            interrupt::check()?;
            client.wait()?;
        }
        let (seconds, after) = (begun.elapsed().as_secs_f64(), store.process().cpu());
        let calls = Calls::of(store)?.since(&before);
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(self.channels);
        Ok(Measured {
            server: node.name.clone(),
            channels: self.channels,
            calls: calls.sent(),
            functions: calls.named("fcall"),
            subscriptions: calls.named("ssubscribe"),
            inside: calls.inside(),
            seconds,
            redis_cpu_us_per_channel: after.zip(cpu).map(|(a, b)| each(a.saturating_sub(b))),
        })
    }
}
