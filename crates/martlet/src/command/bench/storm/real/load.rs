//! How busy processes are, looked at ten times a second.

use std::time::{Duration, Instant};

use crate::command::bench::process::Process;

#[cfg(test)]
mod tests;

/// The time between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Looks in a second.
const SECOND: usize = 10;

/// The CPU time of some processes over a while.
#[derive(Debug)]
pub struct Load {
    process: Process,
    seen: Vec<(Instant, Duration)>,
}

impl Load {
    /// Of the processes with these numbers.
    pub fn of(pids: Vec<u32>) -> Self {
        Self { process: Process { pids }, seen: Vec::new() }
    }

    /// Looks, if it is time to.
    pub fn look(&mut self) {
        let now = Instant::now();
        if self.seen.last().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= LOOK) {
            self.seen.extend(self.process.cpu().map(|cpu| (now, cpu)));
        }
    }

    /// How many cores they used in the busiest second.
    pub fn busiest(&self) -> f64 {
        busiest(&self.seen)
    }
}

fn busiest(seen: &[(Instant, Duration)]) -> f64 {
    let share = |second: &[(Instant, Duration)]| {
        let [(from, before), .., (to, after)] = second else { return 0.0 };
        after.saturating_sub(*before).as_secs_f64() / (*to - *from).as_secs_f64().max(0.001)
    };
    seen.windows(SECOND + 1).map(share).fold(0.0, f64::max)
}
