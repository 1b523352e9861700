//! `martlet bench publish`: how many publications a second the HTTP API takes, one by one and in
//! batches, with nobody following; beside the `PUBLISH` of Redis.

use std::time::Duration;

use serde::Serialize;

use super::api::{Called, Callers, Requests};
use super::beside::Beside;
use super::board::histogram;
use super::compare::Figures;
use super::dialect::Kind;
use super::process::own_cpu;
use super::report::{Latency, Report, Row, count, maybe_microseconds};
use super::target::{Target, TargetArguments, targets};
use crate::failure::Failure;

/// A backend that publishes by HTTP
///
/// Eight connections, batches of 1 and 100:  martlet bench publish
///
/// One connection, batches of 10:            martlet bench publish --connections 1 --batch 10
///
/// Beside Redis, which has process 4711:     martlet bench publish --beside redis=redis://127.0.0.1:6379,4711
///
/// Each connection sends its next request when the last one was answered.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many connections the backend has
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,

    /// How many publications one request brings; several are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: Vec<u32>,

    /// How many channels are published to, in turn
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    channels: u32,

    /// How long the data of a publication is, in bytes
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(20..=1_048_576))]
    payload: u32,

    /// How long each server is measured with each size of batch, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,

    /// In how many slices that time is measured; several servers take turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,

    #[command(flatten)]
    beside: Beside,

    /// The key for the server's API, if it wants one
    #[arg(long, env = "MARTLET_API_KEY", hide_env_values = true)]
    api_key: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    connections: u32,
    channels: u32,
    payload: u32,
    seconds: u64,
}

/// What was measured with one size of batch.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    batch: u32,
    requests: u64,
    publications: u64,
    publications_per_second: f64,
    server_cpu_us_per_publication: Option<f64>,
    /// Of a request.
    latency_us: Latency,
    generator_cpu: f64,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] =
        &["", "batch", "publications/s", "CPU/publication", "p50", "p99", "p99.9", "max"];

    fn cells(&self) -> Vec<String> {
        let [p50, p99, p999, max] = self.latency_us.cells();
        let cpu = maybe_microseconds(self.server_cpu_us_per_publication);
        let speed = count(self.publications_per_second);
        vec![self.server.clone(), self.batch.to_string(), speed, cpu, p50, p99, p999, max]
    }
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    super::files::raise();
    let targets = targets(&arguments.target, &arguments.beside)?;
    if let Some(other) = targets.iter().find(|target| !takes_requests(target)) {
        let why = "nothing to publish to by requests; give redis or another martlet";
        return Err(Failure::wrong(format!("{} is {why}", other.name)));
    }
    let Arguments { connections, channels, payload, seconds, .. } = *arguments;
    let settings = Settings { connections, channels, payload, seconds };
    let title = format!("publish: {connections} connections, {channels} channels, {payload} bytes");
    let mut report = Report::new("publish", title, settings, &targets);
    for batch in &arguments.batch {
        let rounds = arguments.rounds(&targets, *batch)?;
        for (target, rounds) in targets.iter().zip(&rounds) {
            let measured = Measured::of(target, *batch, rounds);
            report.note_generator(&target.name, measured.generator_cpu);
            report.results.push(measured);
        }
        report.compare(Some(*batch), &targets, &rounds, Round::figures);
    }
    report.print(arguments.json)
}

fn takes_requests(target: &Target) -> bool {
    matches!(target.door.kind, Kind::Martlet | Kind::Redis) && !target.is_loop()
}

/// What was measured of one server in one slice.
struct Round {
    publications: u64,
    called: Called,
    server: Option<Duration>,
    generator: Duration,
}

impl Arguments {
    /// All slices of every server with this size of batch.
    fn rounds(&self, targets: &[Target], batch: u32) -> Result<Vec<Vec<Round>>, Failure> {
        let mut callers = Vec::new();
        for target in targets {
            let mut those = self.callers(target, batch as usize)?;
            those.run(Duration::from_millis(500))?;
            callers.push(those);
        }
        let slice = Duration::from_secs(self.seconds) / self.rounds;
        let mut rounds: Vec<Vec<Round>> = targets.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (i, target) in targets.iter().enumerate() {
                let (server, generator) = (target.cpu(), own_cpu());
                let called = callers[i].run(slice)?;
                rounds[i].push(Round {
                    publications: called.latency.len() * u64::from(batch),
                    server: target.cpu().zip(server).map(|(a, b)| a.saturating_sub(b)),
                    generator: own_cpu().saturating_sub(generator),
                    called,
                });
            }
        }
        Ok(rounds)
    }

    fn callers(&self, target: &Target, batch: usize) -> Result<Callers, Failure> {
        let key = target.door.key.clone().or_else(|| self.api_key.clone());
        let (channels, payload) = (self.channels as usize, self.payload as usize);
        let requests = Requests { batch, channels, payload, key };
        Callers::connect(&target.door, requests, self.connections as usize)
    }
}

impl Round {
    /// What is compared.
    fn figures(&self) -> Figures {
        let publications = self.publications.max(1) as f64;
        let at = |quantile| Some(self.called.latency.value_at_quantile(quantile) as f64);
        Figures {
            cpu: self.server.map(|cpu| cpu.as_secs_f64() / publications),
            speed: Some(publications / self.called.elapsed.as_secs_f64()),
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

impl Measured {
    fn of(target: &Target, batch: u32, rounds: &[Round]) -> Self {
        let mut latency = histogram();
        for round in rounds {
            latency.add(&round.called.latency).expect("all histograms here have the same bounds");
        }
        let seconds: f64 = rounds.iter().map(|round| round.called.elapsed.as_secs_f64()).sum();
        let publications: u64 = rounds.iter().map(|round| round.publications).sum();
        let server: Option<Duration> = rounds.iter().map(|round| round.server).sum();
        let generator: Duration = rounds.iter().map(|round| round.generator).sum();
        Self {
            server: target.name.clone(),
            batch,
            requests: latency.len(),
            publications,
            publications_per_second: publications as f64 / seconds,
            server_cpu_us_per_publication: server
                .map(|cpu| cpu.as_secs_f64() * 1e6 / publications.max(1) as f64),
            latency_us: Latency::of(&latency),
            generator_cpu: generator.as_secs_f64() / seconds,
        }
    }
}
