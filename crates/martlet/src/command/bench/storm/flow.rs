//! How many came when: counts for each hundredth of a second, and what is read out of them.

use std::time::Duration;

use martlet_core::time::Instant;

#[cfg(test)]
mod tests;

/// A hundredth of a second.
const BIN: Duration = Duration::from_millis(10);

/// Bins in a second.
const SECOND: usize = 100;

/// Counts over time.
#[derive(Debug, Clone, Default)]
pub struct Flow(Vec<i64>);

impl Flow {
    /// One more at this moment, or one less.
    pub fn add(&mut self, at: Instant, count: i64) {
        let bin = (at.0 / BIN.as_micros() as u64) as usize;
        if bin >= self.0.len() {
            self.0.resize(bin + 1, 0);
        }
        self.0[bin] += count;
    }

    /// All together.
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The most in any second, wherever it begins.
    pub fn most_in_second(&self) -> f64 {
        self.most(SECOND) as f64
    }

    /// The most in any tenth of a second, as a rate per second.
    pub fn most_in_tenth(&self) -> f64 {
        self.most(SECOND / 10) as f64 * 10.0
    }

    /// The most in so many bins that follow each other.
    fn most(&self, bins: usize) -> i64 {
        let (mut sum, mut most) = (0, 0);
        for (i, count) in self.0.iter().enumerate() {
            sum += count;
            if i >= bins {
                sum -= self.0[i - bins];
            }
            most = most.max(sum);
        }
        most
    }

    /// The most there were at once, where comings and goings are counted.
    pub fn most_at_once(&self) -> i64 {
        let mut sum = 0;
        self.0
            .iter()
            .map(|count| {
                sum += count;
                sum
            })
            .max()
            .unwrap_or(0)
    }

    /// When this part of all had come.
    pub fn quantile(&self, part: f64) -> Instant {
        let wanted = (self.total() as f64 * part).ceil() as i64;
        let mut sum = 0;
        let bin = self.0.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        Instant((bin.unwrap_or(0) as u64 + 1) * BIN.as_micros() as u64)
    }

    /// Counts of each tenth of a second after `begin`; at most so many.
    pub fn tenths(&self, begin: Instant, most: usize) -> Vec<i64> {
        let first = ((begin.0 / BIN.as_micros() as u64) as usize).min(self.0.len());
        let tenths = self.0[first..].chunks(SECOND / 10).map(|tenth| tenth.iter().sum());
        tenths.take(most).collect()
    }
}
