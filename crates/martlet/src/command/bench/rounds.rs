//! Measuring servers one after the other, in rounds: a machine that grows slower in the middle of
//! a run is slower for all of them, and what is compared comes from one round.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::compare::Figures;
use super::crowd::Crowd;
use super::load::{Load, Slice};
use super::report::{Latency, Report, Row, count, maybe_microseconds};
use super::target::Target;
use crate::failure::Failure;

/// How long is looked whether a server does something, and how long is waited for its end.
const LOOK: Duration = Duration::from_millis(20);
const CALM_MAX: Duration = Duration::from_secs(2);

/// How long a run is.
#[derive(Debug, clap::Args)]
pub struct Length {
    /// How long each server is measured, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,

    /// How long it is used before that, in seconds
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=600))]
    warm_up: u64,

    /// In how many slices the time is measured; several servers take turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
}

/// What was measured of one server.
#[derive(Debug, Serialize)]
pub struct Measured {
    server: String,
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
            self.server.clone(),
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
            server: target.name.clone(),
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

    /// What is compared.
    fn figures(&self) -> Figures {
        if self.tally.deliveries == 0 {
            return Figures::default();
        }
        let at = |quantile| Some(self.tally.latency.value_at_quantile(quantile) as f64);
        let speed = self.tally.deliveries as f64 / self.elapsed.as_secs_f64();
        let (cpu, speed) = (self.cpu_per_delivery(), Some(speed));
        Figures { cpu, speed, p50: at(0.5), p99: at(0.99) }
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
        load.run(crowd, || target.cpu(), warm_up)?;
    }
    let slice = Duration::from_secs(length.seconds) / length.rounds;
    let mut slices: Vec<Vec<Slice>> = targets.iter().map(|_| Vec::new()).collect();
    for round in 0..length.rounds as usize {
        for turn in 0..targets.len() {
            // Nobody always follows the same one.
            let i = (round + turn) % targets.len();
            calm_down(targets, crowds)?;
            slices[i].push(load.run(&mut crowds[i], || targets[i].cpu(), slice)?);
        }
    }
    for ((target, crowd), slices) in targets.iter().zip(&*crowds).zip(&slices) {
        let measured = Measured::of(target, crowd, slices);
        report.note_generator(&target.name, measured.generator_cpu);
        report.notes.extend(measured.notes());
        report.notes.extend(crowd.failure_notes(&target.name));
        report.results.push(measured);
    }
    report.compare(None, targets, &slices, Slice::figures);
    Ok(())
}

/// Waits until no server does anything, for a while at most: one that was given too much works on
/// when its turn is over, on the core of the next. The clients answer pings in the meantime.
fn calm_down(targets: &[Target], crowds: &mut [Crowd]) -> Result<(), Failure> {
    let spent = || targets.iter().filter_map(Target::cpu).sum::<Duration>();
    let begun = Instant::now();
    while begun.elapsed() < CALM_MAX {
        let (before, look) = (spent(), Instant::now());
        while look.elapsed() < LOOK {
            crowds.iter_mut().try_for_each(|crowd| crowd.turn(Duration::ZERO))?;
            std::thread::sleep(LOOK / 10);
        }
        if spent().saturating_sub(before) < LOOK / 10 {
            break;
        }
    }
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
