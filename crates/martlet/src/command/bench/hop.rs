//! `martlet bench hop`: how much longer a publication takes to somebody at another node, beside
//! what it takes through a bare Redis. Measured like [one channel with many](super::fanout), but
//! the publisher comes in elsewhere.

use serde::Serialize;

use super::compare::Ratio;
use super::crowd::Crowd;
use super::dialect::Kind;
use super::fleet::{Fleet, FleetArguments, Store};
use super::load::{Load, Pace, Publisher};
use super::report::Report;
use super::rounds::{Length, measure};
use super::target::{Target, TargetArguments, placed};
use super::{PARALLEL, files, opening_patience, rate};
use crate::failure::Failure;

/// A publication that goes to another node
///
/// 200 a second, beside a bare Redis:  martlet bench hop
///
/// Beside Centrifugo too:              martlet bench hop --centrifugo /usr/bin/centrifugo
///
/// A client publishes at one node, and another follows at a second one. The same in turns at a
/// single node without Redis, and with Redis alone, by PUBLISH and SUBSCRIBE.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many publications a second
    #[arg(long, default_value_t = 200.0, value_parser = rate)]
    rate: f64,

    /// How many channels there are, each with a follower; they are published to in turn
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    channels: u32,

    /// How long the data of a publication is, in bytes
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(20..=65_536))]
    payload: u32,

    #[command(flatten)]
    length: Length,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    fleet: FleetArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    rate: f64,
    channels: u32,
    payload: u32,
}

/// A node that is alone.
const ALONE: &str = "martlet alone";

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    files::raise();
    let Arguments { rate, channels, payload, .. } = *arguments;
    let settings = Settings { rate, channels, payload };
    let title = format!("hop: {rate} publications a second, {channels} channels, {payload} bytes");
    let (targets, _running) = placed(arguments.fleet.no_pin, |workers| arguments.targets(workers))?;
    let mut report = Report::new("hop", title, settings, &targets);
    let channels = channels as usize;
    let mut crowds = Vec::new();
    for target in &targets {
        let mut crowd = Crowd::new(&target.door, channels)?;
        let all = std::iter::once(None).chain((0..channels).map(Some));
        let opened = crowd.open(all, PARALLEL, opening_patience(channels))?;
        if opened.opened <= channels as u64 {
            return Err(Failure::failed(crowd.first_failure()));
        }
        crowds.push(crowd);
    }
    let (publisher, pace) = (Publisher::One(0), Pace::Punctual(rate));
    let load = Load { publisher, pace, channels, payload: payload as usize };
    measure(&mut report, &arguments.length, &load, &targets, &mut crowds)?;
    report.notes.extend(added(&report.ratios));
    report.print(arguments.json)
}

/// What runs for as long as this is kept.
type Running = (Vec<Fleet>, Store);

impl Arguments {
    /// Two nodes of each kind as one, of which the first is published at; a node alone; and Redis.
    fn targets(&self, workers: u32) -> Result<(Vec<Target>, Running), Failure> {
        let (fleets, store) = (self.fleet.fleets(2, workers)?, self.fleet.store()?);
        let mut targets: Vec<Target> = fleets.iter().map(across).collect();
        let mut alone = self.fleet.martlet(workers, None)?;
        ALONE.clone_into(&mut alone.name);
        targets.insert(1, alone);
        targets.insert(2, bare(&store)?);
        targets.iter_mut().enumerate().for_each(|(number, target)| target.door.number = number);
        Ok((targets, (fleets, store)))
    }
}

/// A fleet, published at its first node and followed at its last.
fn across(fleet: &Fleet) -> Target {
    let mut target = fleet.whole.clone();
    let entrance = target.door.address;
    target.door.address = fleet.nodes.last().map_or(entrance, |node| node.door.address);
    target.door.entrance = Some(entrance);
    target
}

/// Redis with nothing in between.
fn bare(store: &Store) -> Result<Target, Failure> {
    let arguments = TargetArguments::of_started(Vec::new());
    let host = store.host().to_owned();
    arguments.running("redis", Kind::Redis, host, store.process().clone())
}

/// What a node more adds, beside the bare hop: the medians of both ratios are to the same Redis in
/// the same rounds.
fn added(ratios: &[Ratio]) -> Option<String> {
    let of = |name: &str| ratios.iter().find(|ratio| ratio.server == name);
    let (two, one) = (of("martlet")?, of(ALONE)?);
    let (p50, p99) = (two.p50? - one.p50?, two.p99? - one.p99?);
    Some(format!("another node adds {p50:.2} × the bare hop at p50, {p99:.2} × at p99"))
}
