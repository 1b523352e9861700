//! `martlet bench fanout`: what it costs and how long it takes to bring each publication to many.
//! `channels` measures the same for many channels with few readers each.

use serde::Serialize;

use super::beside::Beside;
use super::crowd::Crowd;
use super::dialect::Transport;
use super::files;
use super::load::{Load, Pace, Publisher};
use super::report::Report;
use super::rounds::{Length, measure};
use super::target::{Course, TargetArguments};
use super::{PARALLEL, opening_patience, rate};
use crate::failure::Failure;

/// One publisher, many subscribers
///
/// One publication at a time, to 1,000:   martlet bench fanout
///
/// Sixteen at a time, beside a bare loop: martlet bench fanout --in-flight 16 --bare
///
/// 200 a second, on ten channels:         martlet bench fanout --rate 200 --channels 10
///
/// By two transports, in turns:           martlet bench fanout --transport websocket --transport sse
///
/// With so many in flight as many deliveries are under way as they have subscribers.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many follow the channels, each one of them
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    subscribers: u32,

    /// How many channels there are; they are published to in turn
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    channels: u32,

    /// How many publications are in flight at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,

    #[command(flatten)]
    fan: FanArguments,
}

/// What is said of publications, and of whom they go to.
#[derive(Debug, clap::Args)]
pub struct FanArguments {
    /// Publish so many times a second instead, whatever the server does
    #[arg(long, value_parser = rate, conflicts_with = "in_flight")]
    rate: Option<f64>,

    /// How long the data of a publication is, in bytes
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(20..=1_048_576))]
    payload: u32,

    /// How the subscribers of martlet connect; repeat it, and it is measured with each in turns
    #[arg(long, value_enum, default_value = "websocket")]
    transport: Vec<Transport>,

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
    subscribers: usize,
    channels: usize,
    in_flight: Option<u32>,
    rate: Option<f64>,
    payload: u32,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { subscribers, channels, in_flight, fan } = arguments;
    fan.run("fanout", *subscribers as usize, *channels as usize, *in_flight)
}

impl FanArguments {
    /// Measures so many subscribers of so many channels.
    pub fn run(
        &self,
        command: &'static str,
        subscribers: usize,
        channels: usize,
        in_flight: u32,
    ) -> Result<(), Failure> {
        if channels > subscribers {
            return Err(Failure::wrong("there are more channels than subscribers"));
        }
        // One more publishes. The clients of all servers are there at the same time.
        let (clients, note) =
            files::affordable(subscribers + 1, self.transport.len() + self.beside.all().len());
        let course = Course { transports: &self.transport, ..Course::default() };
        let targets = course.targets(&self.target, &self.beside)?;
        let subscribers = clients.saturating_sub(1).max(1);
        let channels = channels.min(subscribers);
        let settings = self.settings(subscribers, channels, in_flight);
        let mut report = Report::new(command, settings.title(command), settings, &targets);
        report.notes.extend(note);
        let mut crowds = Vec::new();
        for target in &targets {
            let mut crowd = Crowd::new(&target.door, channels)?;
            let all = (0..subscribers).map(|i| Some(i % channels));
            let all = std::iter::once(None).chain(all);
            let opened = crowd.open(all, PARALLEL, opening_patience(clients))?;
            if opened.opened < 2 {
                return Err(Failure::failed(crowd.first_failure()));
            }
            crowds.push(crowd);
        }
        let load = self.load(channels, in_flight);
        measure(&mut report, &self.length, &load, &targets, &mut crowds)?;
        report.print(self.json)
    }

    fn settings(&self, subscribers: usize, channels: usize, in_flight: u32) -> Settings {
        let in_flight = self.rate.is_none().then_some(in_flight);
        let Self { rate, payload, .. } = *self;
        Settings { subscribers, channels, in_flight, rate, payload }
    }

    fn load(&self, channels: usize, in_flight: u32) -> Load {
        let pace = match self.rate {
            Some(rate) => Pace::Rate(rate),
            None => Pace::InFlight(in_flight as usize),
        };
        Load { publisher: Publisher::One(0), pace, channels, payload: self.payload as usize }
    }
}

impl Settings {
    fn title(&self, command: &str) -> String {
        let pace = match (self.in_flight, self.rate) {
            (_, Some(rate)) => format!("{rate} publications a second"),
            (in_flight, None) => format!("{} in flight", in_flight.unwrap_or(1)),
        };
        let Self { subscribers, channels, payload, .. } = self;
        format!(
            "{command}: {subscribers} subscribers, {channels} channels, {pace}, {payload} bytes"
        )
    }
}
