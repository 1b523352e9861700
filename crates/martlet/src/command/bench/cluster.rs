//! `martlet bench cluster`: how many publications a second several nodes behind one Redis take by
//! their HTTP APIs and bring to followers at other nodes, and what that costs the nodes and Redis.

use std::time::Duration;

use serde::Serialize;

use super::board::{Tally, histogram};
use super::compare::Figures;
use super::fleet::{Fleet, FleetArguments};
use super::report::{Latency, Report, Row, count, maybe_microseconds};
use super::target::placed;
use crate::failure::Failure;

mod pairs;

use pairs::{Crew, Pairs, Slice};

/// Several nodes behind one Redis
///
/// Three nodes, one by one and in batches:  martlet bench cluster
///
/// Beside as many nodes of Centrifugo:      martlet bench cluster --centrifugo /usr/bin/centrifugo
///
/// Every node is published to, by several connections, of which each sends its next request when
/// the last was answered. Each channel is followed by a subscriber of the next node, so that every
/// publication travels. Channels keep 100 publications for 5 minutes.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many nodes there are
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=64))]
    nodes: u32,

    /// How many connections publish at each node
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,

    /// How many publications one request brings; several are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: Vec<u32>,

    /// How many channels there are, each with a follower
    #[arg(long, default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    channels: u32,

    /// How long the data of a publication is, in bytes
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(20..=65_536))]
    payload: u32,

    /// How long each kind of node is measured with each size of batch, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,

    /// In how many slices that time is measured; several kinds take turns
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
    nodes: u32,
    connections: u32,
    channels: u32,
    payload: u32,
    seconds: u64,
}

/// What was measured of one fleet with one size of batch.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    batch: u32,
    publications: u64,
    publications_per_second: f64,
    deliveries: u64,
    missed: u64,
    /// CPU of nodes and Redis together.
    server_cpu_us_per_publication: Option<f64>,
    nodes_cpu_us_per_publication: f64,
    redis_cpu_us_per_publication: f64,
    /// Of a request.
    answered_us: Latency,
    /// From when a request was sent until one of its publications had arrived elsewhere.
    latency_us: Latency,
    generator_cpu: f64,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "batch",
        "publications/s",
        "CPU/publication",
        "of nodes",
        "of Redis",
        "answered p50",
        "p99",
        "delivered p50",
        "p99",
        "missed",
    ];

    fn cells(&self) -> Vec<String> {
        let cpu = |value: f64| maybe_microseconds(Some(value));
        let [answered, answered_most, ..] = self.answered_us.cells();
        let [delivered, delivered_most, ..] = self.latency_us.cells();
        vec![
            self.server.clone(),
            self.batch.to_string(),
            count(self.publications_per_second),
            maybe_microseconds(self.server_cpu_us_per_publication),
            cpu(self.nodes_cpu_us_per_publication),
            cpu(self.redis_cpu_us_per_publication),
            answered,
            answered_most,
            delivered,
            delivered_most,
            count(self.missed as f64),
        ]
    }
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    super::files::raise();
    let Arguments { nodes, connections, channels, payload, seconds, .. } = *arguments;
    let largest = arguments.batch.iter().max().copied().unwrap_or(1);
    if channels / nodes / connections < largest {
        let least = largest * nodes * connections;
        let why = "each connection publishes in channels of its own, once in each by a request";
        return Err(Failure::wrong(format!("{why}: give --channels {least} or more")));
    }
    let settings = Settings { nodes, connections, channels, payload, seconds };
    let title = format!(
        "cluster: {nodes} nodes, {connections} connections to each, {channels} channels, {payload} bytes"
    );
    let fleets = placed(arguments.fleet.no_pin, |workers| arguments.fleet.fleets(nodes, workers))?;
    let wholes: Vec<_> = fleets.iter().map(|fleet| fleet.whole.clone()).collect();
    let mut report = Report::new("cluster", title, settings, &wholes);
    for batch in &arguments.batch {
        let slices = arguments.slices(&fleets, *batch)?;
        for (fleet, slices) in fleets.iter().zip(&slices) {
            let measured = Measured::of(&fleet.whole.name, *batch, slices);
            report.note_generator(&measured.server, measured.generator_cpu);
            report.results.push(measured);
        }
        report.compare(Some(*batch), &wholes, &slices, Slice::figures);
    }
    report.print(arguments.json)
}

impl Arguments {
    /// All slices of every fleet with this size of batch.
    fn slices(&self, fleets: &[Fleet], batch: u32) -> Result<Vec<Vec<Slice>>, Failure> {
        let crew = Crew {
            connections: self.connections as usize,
            channels: (self.channels / self.nodes) as usize,
            batch: batch as usize,
            payload: self.payload as usize,
        };
        let mut all = Vec::new();
        for fleet in fleets {
            let mut pairs = Pairs::connect(fleet, crew)?;
            pairs.run(fleet, Duration::from_millis(500))?;
            all.push(pairs);
        }
        let slice = Duration::from_secs(self.seconds) / self.rounds;
        let mut slices: Vec<Vec<Slice>> = fleets.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds as usize {
            for turn in 0..fleets.len() {
                // Nobody always follows the same one.
                let i = (round + turn) % fleets.len();
                slices[i].push(all[i].run(&fleets[i], slice)?);
            }
        }
        Ok(slices)
    }
}

impl Slice {
    /// What is compared.
    fn figures(&self) -> Figures {
        let publications = self.tally.publications.max(1) as f64;
        let at = |quantile| Some(self.tally.latency.value_at_quantile(quantile) as f64);
        Figures {
            cpu: Some((self.nodes + self.store).as_secs_f64() / publications),
            speed: Some(publications / self.elapsed.as_secs_f64()),
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

impl Measured {
    fn of(server: &str, batch: u32, slices: &[Slice]) -> Self {
        let (mut tally, mut answered) = (Tally::default(), histogram());
        for slice in slices {
            tally.add(&slice.tally);
            answered.add(&slice.answered).expect("all histograms here have the same bounds");
        }
        let total = |of: fn(&Slice) -> Duration| slices.iter().map(of).sum::<Duration>();
        let (nodes, store) = (total(|slice| slice.nodes), total(|slice| slice.store));
        let seconds = total(|slice| slice.elapsed).as_secs_f64();
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / tally.publications.max(1) as f64;
        Self {
            server: server.to_owned(),
            batch,
            publications: tally.publications,
            publications_per_second: tally.publications as f64 / seconds,
            deliveries: tally.deliveries,
            missed: tally.missed,
            server_cpu_us_per_publication: Some(each(nodes + store)),
            nodes_cpu_us_per_publication: each(nodes),
            redis_cpu_us_per_publication: each(store),
            answered_us: Latency::of(&answered),
            latency_us: Latency::of(&tally.latency),
            generator_cpu: total(|slice| slice.generator).as_secs_f64() / seconds,
        }
    }
}
