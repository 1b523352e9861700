//! What one simulated storm came to, and what is wanted of it.

use std::time::Duration;

use martlet_core::time::Instant;
use serde::Serialize;

use super::plan::{BEGIN, OUTAGE, Plan, Scenario, Server};
use super::policy::Clients;
use super::world::Counted;
use crate::command::bench::report::{Latency, Row, count, microseconds};

/// Tenths of a second of the arrivals that are reported.
const TENTHS: usize = 600;

/// What is wanted of a storm of martlet's clients and servers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Wanted {
    /// The peak of arrivals beside an even spread.
    pub most_of_even: Option<f64>,
    /// Half of all are back after less than this, in microseconds.
    pub p50_us: Option<f64>,
    /// 99 of 100 are.
    pub p99_us: Option<f64>,
    /// So many never come back.
    pub never: u64,
}

/// What one storm came to.
#[derive(Debug, Serialize)]
pub struct Measured {
    scenario: Scenario,
    clients: &'static str,
    server: Server,
    /// Connections that were lost.
    gone: u64,
    /// Clients that reached a node, those included that were not let in.
    arrivals: i64,
    /// Tries that a client needed.
    tries: f64,
    most_tries: u32,
    /// The most arrivals in any second, and in any tenth of a second.
    peak_per_second: f64,
    tenth_per_second: f64,
    /// The most that were let in in any second.
    let_in_per_second: f64,
    /// What an even spread would have been, and the peak as a multiple of it.
    even_per_second: f64,
    peak_of_even: f64,
    /// Handshakes under way at once.
    shaking: i64,
    /// How long clients were without a connection.
    away_us: Latency,
    /// Clients that have not come back.
    never: u64,
    wanted: Option<Wanted>,
    /// Whether all of that is so.
    met: Option<bool>,
    /// Arrivals in each tenth of a second since it happened.
    tenths: Vec<i64>,
    /// How long it took to simulate.
    simulated_seconds: f64,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "clients",
        "server",
        "gone",
        "tries",
        "most",
        "peak/s",
        "even/s",
        "× even",
        "peak of 0.1 s",
        "let in/s",
        "shaking",
        "away p50",
        "p99",
        "max",
        "never",
        "wanted",
    ];

    fn cells(&self) -> Vec<String> {
        let [p50, p99, _, max] = self.away_us.cells();
        vec![
            self.scenario.name().into(),
            self.clients.into(),
            self.server.name().into(),
            count(self.gone as f64),
            format!("{:.2}", self.tries),
            self.most_tries.to_string(),
            count(self.peak_per_second),
            count(self.even_per_second),
            format!("{:.2}", self.peak_of_even),
            count(self.tenth_per_second),
            count(self.let_in_per_second),
            count(self.shaking as f64),
            p50,
            p99,
            max,
            count(self.never as f64),
            self.verdict(),
        ]
    }
}

impl Measured {
    /// What a world came to that lived by this plan.
    pub fn of(plan: &Plan, counted: &Counted, took: Duration) -> Self {
        let (peak, even) = (counted.arrivals.most_in_second(), even(plan, counted));
        let back = counted.away.len().max(1);
        let mut measured = Self {
            scenario: plan.scenario,
            clients: plan.clients.name(),
            server: plan.server,
            gone: counted.gone,
            arrivals: counted.arrivals.total(),
            tries: counted.tries as f64 / back as f64,
            most_tries: counted.most_tries,
            peak_per_second: peak,
            tenth_per_second: counted.arrivals.most_in_tenth(),
            let_in_per_second: counted.let_in.most_in_second(),
            even_per_second: even,
            peak_of_even: peak / even,
            shaking: counted.shaking.most_at_once(),
            away_us: Latency::of(&counted.away),
            never: counted.never,
            wanted: wanted(plan),
            met: None,
            tenths: counted.arrivals.tenths(BEGIN, TENTHS),
            simulated_seconds: took.as_secs_f64(),
        };
        measured.met = measured.wanted.map(|wanted| measured.meets(wanted));
        measured
    }

    fn meets(&self, wanted: Wanted) -> bool {
        let below = |value: f64, most: Option<f64>| most.is_none_or(|most| value < most);
        wanted.most_of_even.is_none_or(|most| self.peak_of_even <= most)
            && below(self.away_us.p50, wanted.p50_us)
            && below(self.away_us.p99, wanted.p99_us)
            && self.never <= wanted.never
    }

    fn verdict(&self) -> String {
        let (Some(wanted), Some(met)) = (self.wanted, self.met) else { return "-".into() };
        let even = wanted.most_of_even.map(|most| format!("≤ {most} × even"));
        let times = [("p50", wanted.p50_us), ("p99", wanted.p99_us)];
        let times = times
            .into_iter()
            .filter_map(|(name, most)| most.map(|most| format!("{name} < {}", microseconds(most))));
        let all: Vec<String> =
            even.into_iter().chain(times).chain([format!("{} never", wanted.never)]).collect();
        format!("{}: {}", all.join(", "), if met { "met" } else { "missed" })
    }
}

/// Arrivals a second, if they were perfectly even. Of a drain: all who go from one node over the
/// time that it takes. Of a node that is alone: over the time that they are told. Otherwise over
/// the time in which 99 in 100 came back; a second at the least, so that a herd is not called even
/// because it was quick.
fn even(plan: &Plan, counted: &Counted) -> f64 {
    let most = counted.most_gone as f64;
    match plan.scenario {
        Scenario::Drain | Scenario::Rolling => most / plan.conditions.over.as_secs_f64(),
        Scenario::Restart => most / plan.spread(counted.most_gone).as_secs_f64(),
        Scenario::Kill | Scenario::Vanish | Scenario::Outage => {
            counted.gone as f64 / span(plan, counted).as_secs_f64().max(1.0)
        }
    }
}

/// From when clients could come back, until 99 in 100 had.
fn span(plan: &Plan, counted: &Counted) -> Duration {
    let after = match plan.scenario {
        Scenario::Vanish => plan.conditions.silence[0],
        Scenario::Outage => OUTAGE,
        _ => Duration::ZERO,
    };
    let begin: Instant = BEGIN.after(after);
    counted.back.quantile(0.99).since(begin)
}

/// What is wanted, where anything is.
fn wanted(plan: &Plan) -> Option<Wanted> {
    let whole = Wanted { most_of_even: None, p50_us: None, p99_us: None, never: 0 };
    let ours = plan.clients == Clients::Martlet && plan.server == Server::Martlet;
    ours.then_some(match plan.scenario {
        Scenario::Drain | Scenario::Rolling => Wanted { most_of_even: Some(1.3), ..whole },
        Scenario::Kill => {
            Wanted { most_of_even: Some(3.0), p50_us: Some(1e6), p99_us: Some(5e6), ..whole }
        }
        Scenario::Vanish | Scenario::Restart | Scenario::Outage => whole,
    })
}
