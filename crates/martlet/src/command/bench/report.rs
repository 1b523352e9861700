//! What a run prints: a table for people, or all of it as JSON.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::compare::{Figures, Ratio, ratios, reference};
use super::machine::Machine;
use super::target::{About, Target};
use crate::failure::Failure;
use crate::output::print;

/// A generator that was busier than this may have been what was measured.
const BUSY: f64 = 0.8;

/// A line of the table.
pub trait Row: Serialize {
    /// What the columns are called.
    const HEAD: &'static [&'static str];

    /// What is in them.
    fn cells(&self) -> Vec<String>;
}

/// Everything that a run prints.
#[derive(Debug, Serialize)]
pub struct Report<S, R> {
    /// The subcommand.
    pub command: &'static str,
    /// What was asked for, in words.
    #[serde(skip)]
    pub title: String,
    /// What was asked for.
    pub settings: S,
    /// Where it ran.
    pub machine: Machine,
    /// What was measured.
    pub servers: Vec<About>,
    /// The figures.
    pub results: Vec<R>,
    /// The server that the others are compared with, if there are several.
    pub reference: Option<String>,
    /// The figures of each other server divided by those of the reference.
    pub ratios: Vec<Ratio>,
    /// What one has to know to read the figures.
    pub notes: Vec<String>,
}

/// How long something took, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// Half of all took no longer.
    pub p50: f64,
    /// 99 in 100 took no longer.
    pub p99: f64,
    /// 999 in 1,000 took no longer.
    pub p999: f64,
    /// None took longer.
    pub max: f64,
}

impl Latency {
    /// Of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        let max = histogram.max() as f64 / 1_000.0;
        Self { p50: at(0.5).min(max), p99: at(0.99).min(max), p999: at(0.999).min(max), max }
    }

    /// The cells of a table.
    pub fn cells(&self) -> [String; 4] {
        [self.p50, self.p99, self.p999, self.max].map(microseconds)
    }
}

impl<S: Serialize, R: Row> Report<S, R> {
    /// A report without figures yet.
    pub fn new(command: &'static str, title: String, settings: S, targets: &[Target]) -> Self {
        let machine = Machine::this();
        let mut notes = Vec::new();
        if !machine.optimized {
            notes.push("this program was built without optimizations: only compare".to_owned());
        }
        notes.extend(targets.iter().find_map(Target::unmeasured));
        let named = targets.iter().map(|target| (target.name.as_str(), target.martlet));
        let reference = reference(named).map(|at| targets[at].name.clone());
        let servers = targets.iter().map(Target::about).collect();
        let (results, ratios) = (Vec::new(), Vec::new());
        Self { command, title, settings, machine, servers, results, reference, ratios, notes }
    }

    /// Puts the servers beside the reference, each by what it came to in every round.
    pub fn compare<T>(
        &mut self,
        batch: Option<u32>,
        targets: &[Target],
        rounds: &[Vec<T>],
        figures: impl Fn(&T) -> Figures,
    ) {
        let named = |target: &Target| Some(target.name.as_str()) == self.reference.as_deref();
        if let Some(reference) = targets.iter().position(named) {
            let of = |rounds: &Vec<T>| rounds.iter().map(&figures).collect();
            let names = targets.iter().map(|target| target.name.as_str());
            let servers: Vec<_> = names.zip(rounds.iter().map(of)).collect();
            let ratios = ratios(&servers, reference);
            self.ratios.extend(ratios.into_iter().map(|ratio| Ratio { batch, ..ratio }));
        }
    }

    /// Notes a generator that had too much to do.
    pub fn note_generator(&mut self, name: &str, share: f64) {
        if share > BUSY {
            self.notes.push(format!(
                "{name}: the generator used {:.0} % of its core: it may be what was measured",
                share * 100.0
            ));
        }
    }

    /// Prints it.
    pub fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            let text = serde_json::to_string_pretty(self);
            let text = text.map_err(|error| Failure::failed(format!("cannot report: {error}")))?;
            return print(&format!("{text}\n"));
        }
        print(&self.text())
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n{}\n\n", self.title, self.machine.line());
        let head = R::HEAD.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<Vec<String>> = self.results.iter().map(Row::cells).collect();
        text.push_str(&table(head, rows));
        if let Some(reference) = self.reference.as_ref().filter(|_| !self.ratios.is_empty()) {
            text.push('\n');
            self.ratios.iter().for_each(|ratio| text.push_str(&ratio.line(reference)));
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        self.notes.iter().for_each(|note| text.push_str(&format!("! {note}\n")));
        text
    }
}

/// Rows under a head, as wide as they have to be.
fn table(head: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let all: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = all.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &all {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match i {
                0 => line.push_str(&format!("{cell:<width$}")),
                _ => line.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Microseconds as people read them.
pub fn microseconds(value: f64) -> String {
    match value {
        value if value >= 1_000_000.0 => format!("{:.2} s", value / 1_000_000.0),
        value if value >= 1_000.0 => format!("{:.2} ms", value / 1_000.0),
        value if value >= 100.0 => format!("{value:.0} µs"),
        value => format!("{value:.2} µs"),
    }
}

/// The same where it may not have been measured.
pub fn maybe_microseconds(value: Option<f64>) -> String {
    value.map_or("-".into(), microseconds)
}

/// A number with its thousands apart.
pub fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
