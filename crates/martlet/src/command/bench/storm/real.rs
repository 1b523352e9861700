//! The same with real nodes, a real Redis and a real balancer: as many clients as this machine
//! lets open, of which a third loses its node while something is published all the time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use super::plan::Scenario;
use super::policy::Clients;
use crate::command::bench::door::Door;
use crate::command::bench::fleet::{Fleet, FleetArguments};
use crate::command::bench::process::own_cpu;
use crate::command::bench::report::{Latency, Report, Row, count, microseconds};
use crate::command::bench::target::placed;
use crate::command::bench::{PARALLEL, files, interrupt, opening_patience};
use crate::failure::Failure;

mod balancer;
mod follower;
mod followers;
mod heard;
mod ledger;
mod load;
mod publisher;

use balancer::Balancer;
use followers::{Counted, Followers};
use ledger::Faults;
use load::Load;
use publisher::Publisher;

/// How long it goes on after all are back, and after a node is gone.
const SETTLE: Duration = Duration::from_secs(3);

/// How long all may take to come back, beside the time that a drain takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the last publications may be under way.
const LAST: Duration = Duration::from_secs(10);

/// How long a node says that it is not ready before it drains (`drain.wait`).
const WAIT: Duration = Duration::from_secs(5);

/// A longest turn.
const TURN: Duration = Duration::from_millis(1);

/// Real nodes and clients.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Real nodes and clients")]
pub struct RealArguments {
    /// Not simulated: so many real clients at three nodes that are started for the run, of which
    /// one is let go, or killed
    #[arg(long, value_name = "CLIENTS", value_parser = clap::value_parser!(u32).range(30..=1_000_000))]
    pub real: Option<u32>,

    /// How many publications there are a second
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,

    /// How many of them follow each channel; one more watches it at a node that stays
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    followers: u32,

    /// How long is measured before, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    before: u64,

    /// The program of Redis, 7 or newer
    #[arg(long, default_value = "redis-server", value_name = "PROGRAM")]
    redis_server: String,

    /// The program of HAProxy. Where there is none, clients choose a node themselves
    #[arg(long, default_value = "haproxy", value_name = "PROGRAM")]
    haproxy: String,

    /// Without HAProxy even where there is one
    #[arg(long)]
    no_balancer: bool,

    /// Set a key of the configuration of the nodes; repeat it for several
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Let the scheduler place servers and generator. Otherwise the generator gets the last core,
    /// and everything else gets the others
    #[arg(long)]
    no_pin: bool,
}

/// How it is done.
#[derive(Debug, Clone)]
pub struct Real {
    /// What was asked for.
    pub arguments: RealArguments,
    /// How many nodes.
    pub nodes: u32,
    /// How long a node lets its clients go.
    pub over: Duration,
    /// What happens.
    pub scenarios: Vec<Scenario>,
    /// Whose clients' waits.
    pub clients: Vec<Clients>,
}

#[derive(Debug, Serialize)]
struct Settings {
    clients: usize,
    nodes: u32,
    channels: usize,
    rate: u32,
    over_seconds: u64,
    balancers: usize,
}

/// What one storm came to.
#[derive(Debug, Serialize)]
struct Measured {
    scenario: Scenario,
    clients: &'static str,
    sessions: usize,
    gone: u64,
    arrivals: i64,
    tries: f64,
    most_tries: u32,
    peak_per_second: f64,
    even_per_second: f64,
    peak_of_even: f64,
    away_us: Latency,
    never: usize,
    /// Of publications to those who watch at nodes that stay: before, and while others came back.
    before_us: Latency,
    during_us: Latency,
    p99_of_before: f64,
    deliveries: u64,
    lost: u64,
    repeated: u64,
    in_gaps: u64,
    /// Whether everything that is wanted is so.
    met: bool,
    generator_cpu: f64,
    /// Cores that nodes and Redis used in the busiest second, and the balancers.
    servers_busiest: f64,
    balancers_busiest: f64,
    tenths: Vec<i64>,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "clients",
        "gone",
        "tries",
        "most",
        "peak/s",
        "even/s",
        "× even",
        "away p50",
        "p99",
        "max",
        "never",
        "live before p50",
        "p99",
        "meanwhile p50",
        "p99",
        "lost",
        "repeated",
        "in gaps",
        "nodes busy",
        "balancers",
        "met",
    ];

    fn cells(&self) -> Vec<String> {
        let [p50, p99, _, max] = self.away_us.cells();
        let live = [self.before_us.p50, self.before_us.p99, self.during_us.p50, self.during_us.p99];
        let mut cells = vec![
            self.scenario.name().into(),
            self.clients.into(),
            count(self.gone as f64),
            format!("{:.2}", self.tries),
            self.most_tries.to_string(),
            count(self.peak_per_second),
            count(self.even_per_second),
            format!("{:.2}", self.peak_of_even),
            p50,
            p99,
            max,
            self.never.to_string(),
        ];
        cells.extend(live.map(microseconds));
        cells.extend([self.lost, self.repeated, self.in_gaps].map(|it| count(it as f64)));
        cells.extend([self.servers_busiest, self.balancers_busiest].map(|it| format!("{it:.2}")));
        cells.push(if self.met { "yes" } else { "no" }.into());
        cells
    }
}

/// Runs it.
pub fn run(real: &Real, json: bool) -> Result<(), Failure> {
    let (clients, note) = real.affordable();
    let channels = real.channels(clients);
    let settings = Settings {
        clients,
        nodes: real.nodes,
        channels,
        rate: real.arguments.rate,
        over_seconds: real.over.as_secs(),
        balancers: real.balancers(clients),
    };
    let title = format!(
        "storm: {clients} clients of {} nodes behind one Redis, {channels} channels, {} publications/s",
        real.nodes, real.arguments.rate
    );
    let mut report = Report::new("storm", title, settings, &[]);
    report.notes.extend(note);
    for scenario in &real.scenarios {
        for kind in &real.clients {
            let measured = real.measure(*scenario, *kind, [clients, channels])?;
            report.note_generator(scenario.name(), measured.generator_cpu);
            report.results.push(measured);
        }
    }
    report.print(json)
}

impl Real {
    /// How many clients can be there, and what to say about the others.
    fn affordable(&self) -> (usize, Option<String>) {
        let wanted = self.arguments.real.unwrap_or_default() as usize;
        let watchers = self.channels(wanted);
        let (all, note) = files::affordable(wanted + watchers, 1);
        (all - watchers.min(all / 2), note)
    }

    fn channels(&self, clients: usize) -> usize {
        (clients / self.arguments.followers as usize).max(1)
    }

    /// How many balancers so many clients need: each may have as many files open as this program,
    /// and takes two for each of them.
    fn balancers(&self, clients: usize) -> usize {
        let RealArguments { no_balancer, haproxy, .. } = &self.arguments;
        match !no_balancer && Balancer::there_is(haproxy) {
            true => clients.div_ceil(files::raise() * 45 / 100),
            false => 0,
        }
    }

    fn start(&self, clients: usize) -> Result<(Fleet, Vec<Balancer>), Failure> {
        let RealArguments { redis_server, haproxy, .. } = &self.arguments;
        let mut set = vec![format!("drain.over={}s", self.over.as_secs())];
        set.push(format!("drain.wait={}s", WAIT.as_secs()));
        set.extend(self.arguments.set.iter().cloned());
        let fleet = FleetArguments::of_martlets(redis_server, set);
        placed(self.arguments.no_pin, |workers| {
            let fleet = fleet.martlets(self.nodes, workers)?;
            let nodes: Vec<SocketAddr> = fleet.nodes.iter().map(|node| node.door.address).collect();
            let balancers = (0..self.balancers(clients)).map(|_| Balancer::start(haproxy, &nodes));
            Ok((fleet, balancers.collect::<Result<_, _>>()?))
        })
    }

    fn measure(
        &self,
        scenario: Scenario,
        clients: Clients,
        [count, channels]: [usize; 2],
    ) -> Result<Measured, Failure> {
        let (fleet, balancers) = self.start(count)?;
        let doors: Vec<Door> = fleet.nodes.iter().map(|node| node.door.clone()).collect();
        let mut entrances: Vec<_> = balancers.iter().map(|it| it.address).collect();
        if entrances.is_empty() {
            entrances.extend(doors.iter().map(|door| door.address));
        }
        let stay = doors[1..].iter().map(|door| door.address).collect();
        let mut followers = Followers::new(&doors[0], entrances, stay, channels)?;
        followers.add(channels, clients, true);
        followers.add(count, clients, false);
        followers.open(PARALLEL, opening_patience(count))?;
        let names = (0..channels).map(|channel| doors[0].channel(channel)).collect();
        let pace = Duration::from_secs(1) / self.arguments.rate;
        let mut publisher = Publisher::connect(&doors[1..], names, pace, 128)?;
        let stay = fleet.nodes[1..].iter().filter_map(|node| node.process.as_ref());
        let stay = stay.chain([fleet.store.process()]).flat_map(|it| it.pids.iter().copied());
        let loads = [stay.collect(), balancers.iter().map(Balancer::pid).collect()].map(Load::of);
        let mut storm = Storm { real: self, scenario, clients, first: doors[0].address, loads };
        storm.run(&fleet, &mut followers, &mut publisher)
    }
}

/// One storm.
struct Storm<'a> {
    real: &'a Real,
    scenario: Scenario,
    clients: Clients,
    /// The node that goes.
    first: SocketAddr,
    /// Of what stays, and of the balancers.
    loads: [Load; 2],
}

impl Storm<'_> {
    fn run(
        &mut self,
        fleet: &Fleet,
        followers: &mut Followers,
        publisher: &mut Publisher,
    ) -> Result<Measured, Failure> {
        publisher.begin();
        let calm = Instant::now();
        let before = Duration::from_secs(self.real.arguments.before);
        go_on(followers, publisher, |_| calm.elapsed() >= before)?;
        let (begun, generator) = (Instant::now(), own_cpu());
        followers.count_from(begun);
        // Without a balancer nobody tries a node that is known to go.
        followers.entrances.retain(|entrance| *entrance != self.first);
        self.strike(fleet)?;
        let (least, all) = (self.least(), followers.all().len());
        let most = least + PATIENCE;
        let loads = &mut self.loads;
        go_on(followers, publisher, |followers| {
            loads.iter_mut().for_each(Load::look);
            let over = followers.live() == all && begun.elapsed() >= least;
            over || begun.elapsed() >= most
        })?;
        let busy = own_cpu().saturating_sub(generator).as_secs_f64();
        let busy = busy / begun.elapsed().as_secs_f64();
        let settled = Instant::now();
        go_on(followers, publisher, |_| settled.elapsed() >= SETTLE)?;
        publisher.stop();
        let stopped = Instant::now();
        go_on(followers, publisher, |_| stopped.elapsed() >= LAST)?;
        Ok(self.measured(followers, [calm, begun], busy))
    }

    /// The first node is told to stop, or is killed.
    fn strike(&self, fleet: &Fleet) -> Result<(), Failure> {
        let signal = if self.scenario == Scenario::Kill { Signal::KILL } else { Signal::TERM };
        let gone = || Failure::failed("the node is gone before its time");
        let process = fleet.nodes[0].process.as_ref().ok_or_else(gone)?;
        let pid = process.pids.first().and_then(|pid| Pid::from_raw(*pid as i32));
        let told = kill_process(pid.ok_or_else(gone)?, signal);
        told.map_err(|error| Failure::failed(format!("the node cannot be stopped: {error}")))
    }

    /// How long it goes on at the least.
    fn least(&self) -> Duration {
        match self.scenario {
            Scenario::Kill => SETTLE,
            _ => WAIT + self.real.over + SETTLE,
        }
    }

    fn measured(&self, followers: &Followers, [calm, begun]: [Instant; 2], busy: f64) -> Measured {
        let (counted, ledger) = (&followers.counted, &followers.ledger);
        let Faults { lost, repeated, in_gaps } = ledger.faults;
        let before = ledger.latency(calm, begun);
        let first = counted.first_lost.unwrap_or(begun);
        let during = ledger.latency(first, counted.last_back.unwrap_or(first));
        let (before_us, during_us) = (Latency::of(&before), Latency::of(&during));
        let (peak, even) = (counted.arrivals.most_in_second(), self.even(counted));
        let mut measured = Measured {
            scenario: self.scenario,
            clients: self.clients.name(),
            sessions: followers.all().iter().filter(|it| !it.watches).count(),
            gone: counted.gone,
            arrivals: counted.arrivals.total(),
            tries: counted.tries as f64 / counted.away.len().max(1) as f64,
            most_tries: counted.most_tries,
            peak_per_second: peak,
            even_per_second: even,
            peak_of_even: peak / even,
            away_us: Latency::of(&counted.away),
            never: followers.all().len() - followers.live(),
            p99_of_before: during_us.p99 / before_us.p99,
            before_us,
            during_us,
            deliveries: ledger.deliveries,
            lost: lost + ledger.missing(followers.all().iter()),
            repeated,
            in_gaps,
            met: false,
            generator_cpu: busy,
            servers_busiest: self.loads[0].busiest(),
            balancers_busiest: self.loads[1].busiest(),
            tenths: counted.arrivals.tenths(martlet_core::time::Instant(0), 600),
        };
        measured.met = self.meets(&measured);
        measured
    }

    /// As in the simulation: over the time of a drain, or that in which 99 in 100 came back.
    fn even(&self, counted: &Counted) -> f64 {
        let span = match self.scenario {
            Scenario::Kill => {
                let begin = martlet_core::time::Instant(0);
                counted.back.quantile(0.99).since(begin).max(Duration::from_secs(1))
            }
            _ => self.real.over,
        };
        counted.gone as f64 / span.as_secs_f64()
    }

    fn meets(&self, measured: &Measured) -> bool {
        let most = if self.scenario == Scenario::Kill { 3.0 } else { 1.3 };
        let Measured { away_us, lost, repeated, in_gaps, never, .. } = measured;
        let soon = away_us.p50 < 1e6 && away_us.p99 < 5e6;
        measured.peak_of_even <= most
            && measured.p99_of_before <= 2.0
            && (soon || self.scenario != Scenario::Kill)
            && lost + repeated + in_gaps + *never as u64 == 0
    }
}

/// Publishes and takes in what comes, until it is enough; or until nothing is to come any more.
fn go_on(
    followers: &mut Followers,
    publisher: &mut Publisher,
    mut enough: impl FnMut(&Followers) -> bool,
) -> Result<(), Failure> {
    while !enough(followers) {
        interrupt::check()?;
        publisher.turn(&mut followers.ledger)?;
        let due = if publisher.done() { TURN } else { publisher.due_in().min(TURN) };
        followers.turn(due)?;
        if publisher.done() && followers.all().iter().all(|it| followers.ledger.complete(it)) {
            break;
        }
    }
    Ok(())
}
