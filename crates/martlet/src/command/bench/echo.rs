//! `martlet bench echo`: how long a client's own publication takes to come back to it.

use serde::Serialize;

use super::beside::Beside;
use super::crowd::Crowd;
use super::files;
use super::load::{Load, Pace, Publisher};
use super::report::Report;
use super::rounds::{Length, measure};
use super::target::{TargetArguments, targets};
use super::{PARALLEL, opening_patience, rate};
use crate::failure::Failure;

/// Clients that each publish into a channel of their own, and follow it
///
/// As fast as answers come:   martlet bench echo --connections 100
///
/// 3,000 a second, all told:  martlet bench echo --connections 100 --rate 3000
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many clients there are
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,

    /// How many publications each of them has in flight at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    in_flight: u32,

    /// Publish so many times a second instead, all clients together
    #[arg(long, value_parser = rate, conflicts_with = "in_flight")]
    rate: Option<f64>,

    /// How long the data of a publication is, in bytes
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(20..=1_048_576))]
    payload: u32,

    #[command(flatten)]
    length: Length,

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
    in_flight: Option<u32>,
    rate: Option<f64>,
    payload: u32,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (clients, note) =
        files::affordable(arguments.connections as usize, 1 + arguments.beside.all().len());
    let targets = targets(&arguments.target, &arguments.beside)?;
    if let Some(mute) = targets.iter().find(|target| !target.door.reader.publishes()) {
        let why = "who follows there cannot publish on the same connection";
        return Err(Failure::wrong(format!("{}: {why}", mute.name)));
    }
    let settings = Settings {
        connections: clients,
        in_flight: arguments.rate.is_none().then_some(arguments.in_flight),
        rate: arguments.rate,
        payload: arguments.payload,
    };
    let mut report = Report::new("echo", settings.title(), settings, &targets);
    report.notes.extend(note);
    let mut crowds = Vec::new();
    for target in &targets {
        let mut crowd = Crowd::new(&target.door, clients)?;
        let opened = crowd.open((0..clients).map(Some), PARALLEL, opening_patience(clients))?;
        if opened.opened == 0 {
            return Err(Failure::failed(crowd.first_failure()));
        }
        crowds.push(crowd);
    }
    let pace = match arguments.rate {
        Some(rate) => Pace::Rate(rate),
        None => Pace::InFlight(arguments.in_flight as usize),
    };
    let payload = arguments.payload as usize;
    let load = Load { publisher: Publisher::Each, pace, channels: clients, payload };
    measure(&mut report, &arguments.length, &load, &targets, &mut crowds)?;
    report.print(arguments.json)
}

impl Settings {
    fn title(&self) -> String {
        let pace = match (self.in_flight, self.rate) {
            (_, Some(rate)) => format!("{rate} publications a second"),
            (in_flight, None) => format!("{} in flight each", in_flight.unwrap_or(1)),
        };
        format!("echo: {} connections, {pace}, {} bytes", self.connections, self.payload)
    }
}
