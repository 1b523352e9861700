//! `martlet bench recover`: many clients lose their connections at once and come back at once,
//! each with its cursor; how long it takes until all have what they missed, what that costs, and
//! what a live channel feels of it.

use std::time::Duration;

use serde::Serialize;

use super::beside::Beside;
use super::compare::{Figures, median};
use super::dialect::Kind;
use super::files;
use super::report::{Latency, Report, Row, count, maybe_microseconds};
use super::target::{Course, Target, TargetArguments};
use crate::failure::Failure;

mod live;
mod storm;

use storm::{Round, Storm};

/// Clients that return at once, each of them behind
///
/// 10,000, beside a loop that writes the same bytes: martlet bench recover --clients 10000 --bare
///
/// They have followed a channel and got everything. Then their connections are dropped, more is
/// published, and all come back with their cursors. Another channel goes on meanwhile, with a
/// publication every 10 ms to 50 others.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many return
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: u32,

    /// How many publications each of them has missed; the history has 1,000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=900))]
    behind: u32,

    /// How many of them are on their way in at once
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    parallel: u32,

    /// How long the data of a publication is, in bytes
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(20..=65_536))]
    payload: u32,

    /// How long the live channel is measured before, in seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,

    /// How often this is done; several servers take turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,

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
    clients: usize,
    behind: u32,
    payload: u32,
    rounds: u32,
}

/// What was measured of one server.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    clients: usize,
    /// From the first that returned until everybody had everything: the median of the rounds.
    seconds: f64,
    /// Publications caught up with a second, all clients together.
    publications_per_second: f64,
    server_cpu_us_per_client: Option<f64>,
    server_cpu_us_per_publication: Option<f64>,
    bytes_per_client: f64,
    /// How long after the first returned a client had everything.
    latency_us: Latency,
    /// Of the live channel.
    live_before_us: Latency,
    live_during_us: Latency,
    generator_cpu: f64,
    missed: u64,
    gaps: u64,
    lost_connections: usize,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "all there after",
        "CPU/client",
        "CPU/publication",
        "bytes/client",
        "p50",
        "p99",
        "live before p50",
        "p99",
        "meanwhile p50",
        "p99",
        "missed",
    ];

    fn cells(&self) -> Vec<String> {
        let [p50, p99, ..] = self.latency_us.cells();
        let [before_p50, before_p99, ..] = self.live_before_us.cells();
        let [during_p50, during_p99, ..] = self.live_during_us.cells();
        vec![
            self.server.clone(),
            format!("{:.3} s", self.seconds),
            maybe_microseconds(self.server_cpu_us_per_client),
            maybe_microseconds(self.server_cpu_us_per_publication),
            count(self.bytes_per_client),
            p50,
            p99,
            before_p50,
            before_p99,
            during_p50,
            during_p99,
            count(self.missed as f64),
        ]
    }
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (clients, note) = files::affordable(arguments.clients as usize + live::CLIENTS, 1);
    let clients = clients.saturating_sub(live::CLIENTS).max(1);
    let course = Course { keeping: true, ..Course::default() };
    let targets = course.targets(&arguments.target, &arguments.beside)?;
    if let Some(other) = targets.iter().find(|target| target.door.kind != Kind::Martlet) {
        let why = "how one comes back to it with a cursor is not known here";
        return Err(Failure::wrong(format!("{}: {why}", other.name)));
    }
    let Arguments { behind, payload, rounds, .. } = *arguments;
    let settings = Settings { clients, behind, payload, rounds };
    let title = format!(
        "recover: {clients} clients return at once, each {behind} publications of {payload} bytes \
         behind"
    );
    let mut report = Report::new("recover", title, settings, &targets);
    report.notes.extend(note);
    let storm = Storm {
        clients,
        behind: u64::from(behind),
        parallel: arguments.parallel as usize,
        payload: payload as usize,
        before: Duration::from_secs(arguments.seconds),
    };
    let rounds = turns(&storm, &targets, arguments.rounds)?;
    for (target, rounds) in targets.iter().zip(&rounds) {
        let measured = Measured::of(target, &storm, rounds);
        report.note_generator(&target.name, measured.generator_cpu);
        report.notes.extend(rounds.iter().flat_map(|round| round.failures.iter().cloned()));
        report.results.push(measured);
    }
    report.compare(None, &targets, &rounds, |it| it.figures(&storm));
    report.print(arguments.json)
}

fn turns(storm: &Storm, targets: &[Target], rounds: u32) -> Result<Vec<Vec<Round>>, Failure> {
    let mut all: Vec<Vec<Round>> = targets.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds as usize {
        for (target, rounds) in targets.iter().zip(&mut all) {
            // Nothing has been published in channels of this number.
            let number = target.door.number + (round + 1) * targets.len();
            rounds.push(storm.round(target, number)?);
        }
    }
    Ok(all)
}

impl Round {
    /// What is compared.
    fn figures(&self, storm: &Storm) -> Figures {
        let publications = storm.publications() as f64;
        let at = |quantile| Some(self.reached.value_at_quantile(quantile) as f64);
        Figures {
            cpu: self.server.map(|cpu| cpu.as_secs_f64() / publications),
            speed: Some(publications / self.elapsed.as_secs_f64()),
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

impl Measured {
    fn of(target: &Target, storm: &Storm, rounds: &[Round]) -> Self {
        let mut all = rounds[0].clone();
        rounds[1..].iter().for_each(|round| all.add(round));
        let seconds = median(rounds.iter().map(|it| it.elapsed.as_secs_f64()).collect());
        let seconds = seconds.unwrap_or_default();
        let (clients, publications) = (storm.clients as f64, storm.publications() as f64);
        let times = rounds.len() as f64;
        let cpu = all.server.map(|cpu| cpu.as_secs_f64() * 1e6 / times);
        Self {
            server: target.name.clone(),
            clients: storm.clients,
            seconds,
            publications_per_second: publications / seconds,
            server_cpu_us_per_client: cpu.map(|cpu| cpu / clients),
            server_cpu_us_per_publication: cpu.map(|cpu| cpu / publications),
            bytes_per_client: all.bytes as f64 / times / clients,
            latency_us: Latency::of(&all.reached),
            live_before_us: Latency::of(&all.before),
            live_during_us: Latency::of(&all.during),
            generator_cpu: all.generator.as_secs_f64() / all.elapsed.as_secs_f64(),
            missed: all.missed,
            gaps: all.gaps,
            lost_connections: all.lost,
        }
    }
}
