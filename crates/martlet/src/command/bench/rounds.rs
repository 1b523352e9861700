//! Measuring servers one after the other, in rounds: a machine that grows slower in the middle of
//! a run is slower for all of them, and what is compared comes from one round.

use std::time::Duration;

use serde::Serialize;

use super::crowd::Crowd;
use super::load::{Load, Slice};
use super::report::{Latency, Ratio, Report, Row, count, maybe_microseconds, median};
use super::target::Target;
use crate::failure::Failure;

/// How long a run is.
#[derive(Debug, clap::Args)]
pub struct Length {
    /// How long each server is measured, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,

    /// How long it is used before that, in seconds
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=600))]
    warm_up: u64,

    /// In how many slices the time is measured; with --bare the servers take turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
}

/// What was measured of one server.
#[derive(Debug, Serialize)]
pub struct Measured {
    server: &'static str,
    /// How long it was measured.
    seconds: f64,
    /// Connections that were open.
    connections: usize,
    publications: u64,
    deliveries: u64,
    deliveries_per_second: f64,
    bytes_per_delivery: f64,
    /// How many deliveries came in one read: above 1 when writes were put together.
    deliveries_per_read: f64,
    server_cpu_us_per_delivery: Option<f64>,
    /// How many cores the server used.
    server_cores: Option<f64>,
    latency_us: Latency,
    /// How much of its core the generator used.
    generator_cpu: f64,
    /// The longest that a publication was sent after it was meant to be.
    sent_late_us_max: f64,
    missed: u64,
    lagged: u64,
    lost_connections: usize,
    overloaded: bool,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "deliveries/s",
        "CPU/delivery",
        "cores",
        "per read",
        "p50",
        "p99",
        "p99.9",
        "max",
        "missed",
    ];

    fn cells(&self) -> Vec<String> {
        let [p50, p99, p999, max] = self.latency_us.cells();
        vec![
            self.server.into(),
            count(self.deliveries_per_second),
            maybe_microseconds(self.server_cpu_us_per_delivery),
            self.server_cores.map_or("-".into(), |cores| format!("{cores:.2}")),
            format!("{:.1}", self.deliveries_per_read),
            p50,
            p99,
            p999,
            max,
            count(self.missed as f64),
        ]
    }
}

impl Measured {
    fn of(target: &Target, crowd: &Crowd, slices: &[Slice]) -> Self {
        let mut all = Slice::default();
        slices.iter().for_each(|slice| all.add(slice));
        let lost: usize = crowd.failures.values().sum();
        let (tally, seconds) = (&all.tally, all.elapsed.as_secs_f64());
        let deliveries = tally.deliveries.max(1) as f64;
        Self {
            server: target.name,
            seconds,
            connections: crowd.len() - lost.min(crowd.len()),
            publications: tally.publications,
            deliveries: tally.deliveries,
            deliveries_per_second: tally.deliveries as f64 / seconds,
            bytes_per_delivery: tally.bytes as f64 / deliveries,
            deliveries_per_read: tally.deliveries as f64 / tally.reads.max(1) as f64,
            server_cpu_us_per_delivery: all.cpu_per_delivery(),
            server_cores: all.server.map(|cpu| cpu.as_secs_f64() / seconds),
            latency_us: Latency::of(&tally.latency),
            generator_cpu: all.generator.as_secs_f64() / seconds,
            sent_late_us_max: all.late.as_secs_f64() * 1e6,
            missed: tally.missed,
            lagged: tally.lagged,
            lost_connections: lost,
            overloaded: all.overloaded,
        }
    }
}

impl Slice {
    fn add(&mut self, other: &Self) {
        // The first one has nothing to add to.
        self.server = match self.elapsed.is_zero() {
            true => other.server,
            false => self.server.zip(other.server).map(|(one, other)| one + other),
        };
        self.tally.add(&other.tally);
        self.elapsed += other.elapsed;
        self.generator += other.generator;
        self.late = self.late.max(other.late);
        self.overloaded |= other.overloaded;
    }

    /// The server's CPU time for a delivery, in microseconds.
    fn cpu_per_delivery(&self) -> Option<f64> {
        let cpu = self.server?.as_secs_f64() * 1e6;
        (self.tally.deliveries > 0).then(|| cpu / self.tally.deliveries as f64)
    }

    fn ratio(&self, bare: &Self) -> Option<[Option<f64>; 3]> {
        let speed = |slice: &Self| slice.tally.deliveries as f64 / slice.elapsed.as_secs_f64();
        let p50 = |slice: &Self| slice.tally.latency.value_at_quantile(0.5) as f64;
        let measured = self.tally.deliveries > 0 && bare.tally.deliveries > 0;
        measured.then(|| {
            let cpu = self.cpu_per_delivery().zip(bare.cpu_per_delivery());
            let cpu = cpu.map(|(own, bare)| own / bare);
            [cpu, Some(speed(self) / speed(bare)), Some(p50(self) / p50(bare))]
        })
    }
}

/// Measures each server with its crowd, in turns, and reports.
pub fn measure<S: Serialize>(
    report: &mut Report<S, Measured>,
    length: &Length,
    load: &Load,
    targets: &[Target],
    crowds: &mut [Crowd],
) -> Result<(), Failure> {
    let warm_up = Duration::from_secs(length.warm_up);
    for (target, crowd) in targets.iter().zip(&mut *crowds).filter(|_| !warm_up.is_zero()) {
        load.run(crowd, target.process, warm_up)?;
    }
    let slice = Duration::from_secs(length.seconds) / length.rounds;
    let mut slices: Vec<Vec<Slice>> = targets.iter().map(|_| Vec::new()).collect();
    for _ in 0..length.rounds {
        for (i, target) in targets.iter().enumerate() {
            // The others' clients answer pings in the meantime.
            crowds.iter_mut().try_for_each(|crowd| crowd.turn(Duration::ZERO))?;
            slices[i].push(load.run(&mut crowds[i], target.process, slice)?);
        }
    }
    for ((target, crowd), slices) in targets.iter().zip(&*crowds).zip(&slices) {
        let measured = Measured::of(target, crowd, slices);
        report.note_generator(target.name, measured.generator_cpu);
        report.notes.extend(measured.notes());
        report.notes.extend(crowd.failure_notes(target.name));
        report.results.push(measured);
    }
    report.ratio = ratio(&slices);
    Ok(())
}

impl Measured {
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.overloaded {
            notes.push(format!(
                "{}: overloaded: publications were left out, and the latency has no meaning",
                self.server
            ));
        }
        if self.missed > 0 {
            notes.push(format!("{}: {} deliveries never came", self.server, self.missed));
        }
        notes
    }
}

/// The first server beside the second one.
fn ratio(slices: &[Vec<Slice>]) -> Option<Ratio> {
    let [own, bare] = slices else { return None };
    let rounds: Vec<[Option<f64>; 3]> =
        own.iter().zip(bare).filter_map(|(own, bare)| own.ratio(bare)).collect();
    let middle = |at: usize| median(rounds.iter().filter_map(|round| round[at]).collect());
    Some(Ratio { rounds: rounds.len(), cpu: middle(0), speed: middle(1)?, p50: middle(2)? })
}
