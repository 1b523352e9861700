//! `martlet bench storm`: what happens to those who stay when a node of a busy cluster is let go or
//! killed, and to those who were on it. A million sessions on a virtual clock, with the machines
//! that servers and clients really have; and beside them the clients of other servers.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::interrupt;
use super::report::Report;
use crate::failure::Failure;

mod agenda;
mod entrance;
mod flow;
mod plan;
mod policy;
mod real;
mod simulated;
mod world;

use plan::{Conditions, Plan, Scenario, Server};
use policy::Clients;
use real::{Real, RealArguments};
use simulated::Measured;
use world::World;

/// A node of a busy cluster goes, and its clients come back
///
/// A million sessions on three nodes, simulated:   martlet bench storm
///
/// A node is killed, and clients try every second: martlet bench storm --scenario kill --clients naive
///
/// Real nodes, Redis, HAProxy and 15,000 clients:  martlet bench storm --real 15000
///
/// Sessions, admission, drain and the clients' waits are the real ones, on a virtual clock: the same
/// --seed gives the same figures. A client goes to any node, and shakes hands for three round trips.
///
/// The peak is the most that arrived at the nodes in any second, tries in vain included. It stands
/// beside an even spread: of a drain, all who go over the time that it lasts; of a kill, all who come
/// back over the time in which 99 in 100 did, and a second at the least. Other clients
/// meet a server that closes all connections at once and lets everybody in; and, when a node is
/// killed, martlet's admission too, of whose advice they hear nothing.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many sessions there are
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    sessions: u32,

    /// How many nodes there are
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    nodes: u32,

    /// How many workers each node has
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    workers: u32,

    /// What happens; without it everything
    #[arg(long, value_enum, value_delimiter = ',')]
    scenario: Vec<Scenario>,

    /// Whose clients they are; without it all kinds, the others only where one node of several
    /// is let go or killed
    #[arg(long, value_enum, value_delimiter = ',')]
    clients: Vec<Clients>,

    /// How long a node lets its clients go, in seconds (drain.over)
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    over: u64,

    /// How long a node is away that is restarted, in seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    away: u64,

    /// Clients a second that a worker lets in; 0 for no limit (admission.per_second)
    #[arg(long, default_value_t = 5_000)]
    admission: u32,

    /// Handshakes that a worker has under way; 0 for no limit (admission.handshakes)
    #[arg(long, default_value_t = 2_000)]
    handshakes: u32,

    /// What the shortest and the longest round trip between client and node take, in milliseconds
    #[arg(long, num_args = 2, default_values_t = [5, 80], value_names = ["LEAST", "MOST"])]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000))]
    round_trip: Vec<u32>,

    /// How long a worker works on one handshake, in microseconds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    work: u32,

    /// Where all random bits come from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    real: RealArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    sessions: u32,
    nodes: u32,
    workers: u32,
    over_seconds: u64,
    away_seconds: u64,
    admission_per_second: u32,
    handshakes: u32,
    round_trip_ms: Vec<u32>,
    work_us: u32,
    seed: u64,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.real.real.is_some() {
        return real::run(&arguments.real()?, arguments.json);
    }
    interrupt::watch()?;
    let Arguments { sessions, nodes, workers, .. } = *arguments;
    let title =
        format!("storm: {sessions} sessions on {nodes} nodes of {workers} workers, simulated");
    let mut report = Report::new("storm", title, arguments.settings(), &[]);
    let begun = Instant::now();
    for plan in arguments.plans() {
        interrupt::check()?;
        let begun = Instant::now();
        let counted = World::new(&plan).run();
        report.results.push(Measured::of(&plan, &counted, begun.elapsed()));
    }
    let took = begun.elapsed().as_secs_f64();
    report
        .notes
        .push(format!("simulated in {took:.0} s, every arrival with a grant and a session"));
    report.print(arguments.json)
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            sessions: self.sessions,
            nodes: self.nodes,
            workers: self.workers,
            over_seconds: self.over,
            away_seconds: self.away,
            admission_per_second: self.admission,
            handshakes: self.handshakes,
            round_trip_ms: self.round_trip.clone(),
            work_us: self.work,
            seed: self.seed,
        }
    }

    fn real(&self) -> Result<Real, Failure> {
        let scenarios = or_all(&self.scenario, &[Scenario::Drain, Scenario::Kill]);
        if !scenarios.iter().all(|it| matches!(it, Scenario::Drain | Scenario::Kill)) {
            return Err(Failure::wrong("real nodes can be let go (drain) or killed (kill)"));
        }
        Ok(Real {
            arguments: self.real.clone(),
            nodes: self.nodes,
            over: Duration::from_secs(self.over),
            scenarios,
            clients: or_all(&self.clients, &[Clients::Martlet]),
        })
    }

    fn conditions(&self) -> Conditions {
        let trip = |at: usize| Duration::from_millis(self.round_trip[at].into());
        Conditions {
            sessions: self.sessions,
            nodes: self.nodes,
            workers: self.workers,
            over: Duration::from_secs(self.over),
            away: Duration::from_secs(self.away),
            admission: self.admission,
            handshakes: self.handshakes,
            round_trip: [trip(0), trip(1)],
            work: Duration::from_micros(self.work.into()),
            patience: Duration::from_secs(10),
            silence: [Duration::from_secs(10), Duration::from_secs(35)],
            seed: self.seed,
        }
    }

    /// Everything that is asked for, one after the other.
    fn plans(&self) -> Vec<Plan> {
        let mut plans = Vec::new();
        for scenario in or_all(&self.scenario, &Scenario::ALL) {
            let common = matches!(scenario, Scenario::Drain | Scenario::Kill);
            let others = if common { &Clients::OTHERS[..] } else { &[] };
            let all = [&[Clients::Martlet], others].concat();
            let clients = or_all(&self.clients, &all);
            let servers = |clients: &Clients| match (clients, scenario) {
                (Clients::Martlet, _) => vec![Server::Martlet],
                (_, Scenario::Kill) => vec![Server::AllAtOnce, Server::Martlet],
                _ => vec![Server::AllAtOnce],
            };
            let pairs = clients.iter().flat_map(|it| servers(it).into_iter().map(|s| (*it, s)));
            let mut pairs: Vec<_> = pairs.collect();
            pairs.sort_by_key(|(clients, server)| {
                (*clients != Clients::Martlet, *server == Server::Martlet)
            });
            plans.extend(pairs.into_iter().map(|(clients, server)| Plan {
                conditions: self.conditions(),
                scenario,
                clients,
                server,
            }));
        }
        plans
    }
}

fn or_all<T: Copy>(chosen: &[T], all: &[T]) -> Vec<T> {
    if chosen.is_empty() { all.to_vec() } else { chosen.to_vec() }
}

#[cfg(test)]
mod tests;
