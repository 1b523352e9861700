//! Servers beside each other: of each figure the quotient within a round, and of those the median
//! over all rounds. A machine that grows slower in the middle of a run is slower for all of them.

use serde::Serialize;

/// What one server came to in one round, as far as it is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// CPU for each of whatever was counted.
    pub cpu: Option<f64>,
    /// How many of them a second.
    pub speed: Option<f64>,
    /// The median latency.
    pub p50: Option<f64>,
    /// The latency that 99 in 100 did not exceed.
    pub p99: Option<f64>,
}

impl Figures {
    fn beside(&self, other: &Self) -> Self {
        let of = |own: Option<f64>, other: Option<f64>| Some(own? / other.filter(|it| *it > 0.0)?);
        Self {
            cpu: of(self.cpu, other.cpu),
            speed: of(self.speed, other.speed),
            p50: of(self.p50, other.p50),
            p99: of(self.p99, other.p99),
        }
    }
}

/// One server beside the reference: of each figure the median over the rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// Which server.
    pub server: String,
    /// The size of batches, where several were measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// How often both were measured one after the other.
    pub rounds: usize,
    /// CPU for each delivery, connection or publication.
    pub cpu: Option<f64>,
    /// Deliveries, connections or publications a second.
    pub speed: Option<f64>,
    /// The median latency.
    pub p50: Option<f64>,
    /// The latency that 99 in 100 did not exceed.
    pub p99: Option<f64>,
}

impl Ratio {
    /// One line for people.
    pub fn line(&self, reference: &str) -> String {
        let cpu = self.cpu.map_or("not measured".into(), written);
        let batch = self.batch.map_or(String::new(), |batch| format!(", batches of {batch}"));
        let Self { server, rounds, .. } = self;
        let begin = format!("{server} / {reference}{batch}, median of {rounds} rounds: CPU {cpu}");
        let others = [("speed", self.speed), ("p50", self.p50), ("p99", self.p99)];
        let others = others.iter().filter_map(|(name, value)| Some((name, written((*value)?))));
        let others: String = others.map(|(name, value)| format!(", {name} {value}")).collect();
        format!("{begin}{others}\n")
    }
}

/// A ratio with as many digits as say something.
fn written(value: f64) -> String {
    if value < 0.1 { format!("{value:.3}") } else { format!("{value:.2}") }
}

/// Which of the servers the others are compared with: the bare loop, or else the first that is
/// not martlet, or else the first.
pub fn reference<'a>(servers: impl Iterator<Item = (&'a str, bool)> + Clone) -> Option<usize> {
    let bare = servers.clone().position(|(name, _)| name == "bare");
    let other = servers.clone().position(|(_, martlet)| !martlet);
    let several = servers.count() > 1;
    several.then(|| bare.or(other).unwrap_or(0))
}

/// Each server but the reference beside it. Every server has its figures of each round.
pub fn ratios(servers: &[(&str, Vec<Figures>)], reference: usize) -> Vec<Ratio> {
    let (_, beside) = &servers[reference];
    let others = servers.iter().enumerate().filter(|(at, _)| *at != reference);
    others.map(|(_, (name, rounds))| ratio(name, rounds, beside)).collect()
}

fn ratio(server: &str, rounds: &[Figures], reference: &[Figures]) -> Ratio {
    let rounds: Vec<Figures> =
        rounds.iter().zip(reference).map(|(own, other)| own.beside(other)).collect();
    let middle =
        |figure: fn(&Figures) -> Option<f64>| median(rounds.iter().filter_map(figure).collect());
    Ratio {
        server: server.to_owned(),
        batch: None,
        rounds: rounds.len(),
        cpu: middle(|it| it.cpu),
        speed: middle(|it| it.speed),
        p50: middle(|it| it.p50),
        p99: middle(|it| it.p99),
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests;
