//! `martlet bench publish`: how many publications a second the HTTP API takes, one by one and in
//! batches, with nobody following.

use std::time::Duration;

use serde::Serialize;

use super::api::{Callers, Requests};
use super::beside::Beside;
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

    /// How long each size of batch is measured, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,

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
    let targets = targets(&arguments.target, &Beside::default())?;
    let Arguments { connections, channels, payload, seconds, .. } = *arguments;
    let settings = Settings { connections, channels, payload, seconds };
    let title = format!("publish: {connections} connections, {channels} channels, {payload} bytes");
    let mut report = Report::new("publish", title, settings, &targets);
    for target in &targets {
        for batch in &arguments.batch {
            let measured = arguments.measure(target, *batch)?;
            report.note_generator(&target.name, measured.generator_cpu);
            report.results.push(measured);
        }
    }
    report.print(arguments.json)
}

impl Arguments {
    fn measure(&self, target: &Target, batch: u32) -> Result<Measured, Failure> {
        let requests = Requests {
            batch: batch as usize,
            channels: self.channels as usize,
            payload: self.payload as usize,
            key: target.door.key.clone().or_else(|| self.api_key.clone()),
        };
        let mut callers = Callers::connect(&target.door, requests, self.connections as usize)?;
        callers.run(Duration::from_millis(500))?;
        let (server, generator) = (target.cpu(), own_cpu());
        let called = callers.run(Duration::from_secs(self.seconds))?;
        let after = target.cpu();
        let publications = called.latency.len() * u64::from(batch);
        let cpu = after.zip(server).map(|(after, before)| after.saturating_sub(before));
        let seconds = called.elapsed.as_secs_f64();
        Ok(Measured {
            server: target.name.clone(),
            batch,
            requests: called.latency.len(),
            publications,
            publications_per_second: publications as f64 / seconds,
            server_cpu_us_per_publication: cpu
                .map(|cpu| cpu.as_secs_f64() * 1e6 / publications.max(1) as f64),
            latency_us: Latency::of(&called.latency),
            generator_cpu: own_cpu().saturating_sub(generator).as_secs_f64() / seconds,
        })
    }
}
