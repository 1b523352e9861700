//! The live counter of `martlet pub --lines`: on a terminal only.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the counter is drawn at most.
const EVERY: Duration = Duration::from_millis(200);

/// Counts lines, and shows the count to a person.
pub struct Progress {
    terminal: bool,
    begun: Instant,
    drawn: Option<(Instant, u64)>,
    rate: f64,
    lines: u64,
}

impl Progress {
    /// A counter at zero.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, begun: Instant::now(), drawn: None, rate: 0.0, lines: 0 }
    }

    /// How many lines were published.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Some more lines were published.
    pub fn add(&mut self, lines: u64) {
        self.lines += lines;
        let (at, before) = self.drawn.unwrap_or((self.begun, 0));
        if self.drawn.is_some() && at.elapsed() < EVERY {
            return;
        }
        self.rate = rate(self.lines - before, at.elapsed());
        self.drawn = Some((Instant::now(), self.lines));
        self.draw(&format!("{} lines, {:.0} a second", self.lines, self.rate));
    }

    /// Says something beside the counter.
    pub fn say(&self, text: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        // Nobody is left to be told when standard error itself is closed.
        let _ = writeln!(std::io::stderr(), "{clear}martlet: {text}");
    }

    /// Leaves the sum behind.
    pub fn finish(&self) {
        let time = self.begun.elapsed();
        let rate = rate(self.lines, time);
        let seconds = time.as_secs_f64();
        self.draw(&format!("{} lines in {seconds:.1} s, {rate:.0} a second\n", self.lines));
    }

    fn draw(&self, text: &str) {
        if self.terminal {
            let mut out = std::io::stderr().lock();
            // Nobody is left to be told when standard error itself is closed.
            let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
        }
    }
}

fn rate(lines: u64, time: Duration) -> f64 {
    lines as f64 / time.as_secs_f64().max(0.001)
}
