//! `martlet bench connect`: how many clients a second are let in, each with one subscription.

use std::time::Duration;

use serde::Serialize;

use super::beside::Beside;
use super::compare::Figures;
use super::crowd::{Crowd, Opened};
use super::dialect::Transport;
use super::process::own_cpu;
use super::report::{Latency, Report, Row, count, maybe_microseconds};
use super::target::{Course, Target, TargetArguments};
use super::{files, opening_patience};
use crate::failure::Failure;

/// Clients that come all at once: handshake, connect and one subscription each
///
/// 5,000 of them, 64 at a time:  martlet bench connect --connections 5000
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many come
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,

    /// How many of them are on their way in at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    parallel: u32,

    /// How many channels they share
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    channels: u32,

    /// How often this is done
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,

    /// How they connect to martlet; repeat it, and it is measured with each in turns
    #[arg(long, value_enum, default_value = "websocket")]
    transport: Vec<Transport>,

    #[command(flatten)]
    beside: Beside,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    connections: usize,
    parallel: u32,
    channels: usize,
}

/// What was measured of one server.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    connections: u64,
    connections_per_second: f64,
    server_cpu_us_per_connection: Option<f64>,
    latency_us: Latency,
    generator_cpu: f64,
    failed: usize,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] =
        &["", "connections/s", "CPU/connection", "p50", "p99", "p99.9", "max", "failed"];

    fn cells(&self) -> Vec<String> {
        let [p50, p99, p999, max] = self.latency_us.cells();
        let cpu = maybe_microseconds(self.server_cpu_us_per_connection);
        let failed = count(self.failed as f64);
        vec![
            self.server.clone(),
            count(self.connections_per_second),
            cpu,
            p50,
            p99,
            p999,
            max,
            failed,
        ]
    }
}

/// One time that all came.
struct Round {
    opened: Opened,
    server: Option<Duration>,
    generator: Duration,
    failures: Vec<String>,
    failed: usize,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (clients, note) = files::affordable(arguments.connections as usize, 1);
    let course = Course { transports: &arguments.transport, ..Course::default() };
    let targets = course.targets(&arguments.target, &arguments.beside)?;
    let channels = arguments.channels as usize;
    let settings = Settings { connections: clients, parallel: arguments.parallel, channels };
    let Settings { parallel, .. } = settings;
    let title = format!("connect: {clients} connections, {parallel} at once, {channels} channels");
    let mut report = Report::new("connect", title, settings, &targets);
    report.notes.extend(note);
    let mut rounds: Vec<Vec<Round>> = targets.iter().map(|_| Vec::new()).collect();
    for _ in 0..arguments.rounds {
        for (target, rounds) in targets.iter().zip(&mut rounds) {
            rounds.push(round(target, clients, channels, parallel as usize)?);
        }
    }
    for (target, rounds) in targets.iter().zip(&rounds) {
        let measured = Measured::of(target, rounds);
        report.note_generator(&target.name, measured.generator_cpu);
        report.notes.extend(rounds.iter().flat_map(|round| round.failures.iter().cloned()));
        report.results.push(measured);
    }
    report.compare(None, &targets, &rounds, Round::figures);
    report.print(arguments.json)
}

fn round(
    target: &Target,
    clients: usize,
    channels: usize,
    parallel: usize,
) -> Result<Round, Failure> {
    let mut crowd = Crowd::new(&target.door, channels)?;
    let (server, generator) = (target.cpu(), own_cpu());
    let all = (0..clients).map(|i| Some(i % channels));
    let opened = crowd.open(all, parallel, opening_patience(clients))?;
    if opened.opened == 0 {
        return Err(Failure::failed(crowd.first_failure()));
    }
    let after = target.cpu();
    Ok(Round {
        opened,
        server: after.zip(server).map(|(after, before)| after.saturating_sub(before)),
        generator: own_cpu().saturating_sub(generator),
        failures: crowd.failure_notes(&target.name).collect(),
        failed: crowd.failures.values().sum(),
    })
}

impl Measured {
    fn of(target: &Target, rounds: &[Round]) -> Self {
        let connections: u64 = rounds.iter().map(|round| round.opened.opened).sum();
        let seconds: f64 = rounds.iter().map(|round| round.opened.elapsed.as_secs_f64()).sum();
        let generator: Duration = rounds.iter().map(|round| round.generator).sum();
        let server: Option<Duration> = rounds.iter().map(|round| round.server).sum();
        let mut latency = super::board::histogram();
        for round in rounds {
            latency.add(&round.opened.latency).expect("all histograms here have the same bounds");
        }
        Self {
            server: target.name.clone(),
            connections,
            connections_per_second: connections as f64 / seconds,
            server_cpu_us_per_connection: server
                .map(|cpu| cpu.as_secs_f64() * 1e6 / connections.max(1) as f64),
            latency_us: Latency::of(&latency),
            generator_cpu: generator.as_secs_f64() / seconds,
            failed: rounds.iter().map(|round| round.failed).sum(),
        }
    }
}

impl Round {
    /// What is compared.
    fn figures(&self) -> Figures {
        let opened = self.opened.opened.max(1) as f64;
        let at = |quantile| Some(self.opened.latency.value_at_quantile(quantile) as f64);
        Figures {
            cpu: self.server.map(|cpu| cpu.as_secs_f64() / opened),
            speed: Some(opened / self.opened.elapsed.as_secs_f64()),
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}
