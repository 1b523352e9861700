//! Who is let in, and when the others are to come back.
//!
//! Letting in is a rate (the generic cell rate algorithm, as in `time::Rate`) of which the last
//! half of the burst is kept for those who were here before. Whoever is not let in is given a
//! place in a line: the places are as far apart as the rate allows, so that those who wait as they
//! were told come one by one. Nothing is kept of anybody: two instants say where the lines end.

use std::time::Duration;

use crate::time::Instant;

#[cfg(test)]
mod tests;

/// How many seconds' worth of clients may come at once after a pause: a quarter.
const BURST_OF_SECOND: u32 = 4;

/// The soonest that anybody is told to come back.
const SOONEST: Duration = Duration::from_millis(250);

/// The latest that anybody is told to come back. Those for whom the line is longer come back
/// somewhere in the later half of it, and are given a place then.
const LATEST: Duration = Duration::from_secs(300);

/// Places are a tenth farther apart than the rate allows, so that those who come a little early or
/// late do not meet a full house.
const SLACK: u32 = 10;

/// Who asks to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// One that proves by its grant that it was let in before.
    Returning,
    /// Anybody else.
    Newcomer,
}

/// How many are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionRate {
    /// Clients a second, on average; 0 for no limit.
    pub per_second: u32,
}

impl AdmissionRate {
    /// The time between two, in whole microseconds; never too short.
    fn each(self) -> Duration {
        Duration::from_micros(1_000_000u64.div_ceil(self.per_second.max(1).into()))
    }

    fn burst(self) -> u32 {
        (self.per_second / BURST_OF_SECOND).max(2)
    }
}

/// The admission of one worker. Time and random bits are passed in.
#[derive(Debug, Clone)]
pub struct Admission {
    rate: AdmissionRate,
    /// The instant at which the whole burst is there again.
    whole_at: Instant,
    /// Where the line of those who return ends, and that of newcomers.
    returning_until: Instant,
    newcomers_until: Instant,
}

impl Admission {
    /// An admission to which nobody has come.
    pub fn new(rate: AdmissionRate) -> Self {
        Self {
            rate,
            whole_at: Instant::default(),
            returning_until: Instant::default(),
            newcomers_until: Instant::default(),
        }
    }

    /// Somebody asks to be let in. `Err` says in what time to come back. `random` is any 64 random
    /// bits.
    pub fn handle_arrival(
        &mut self,
        now: Instant,
        arrival: Arrival,
        random: u64,
    ) -> Result<(), Duration> {
        if self.rate.per_second == 0 {
            return Ok(());
        }
        let each = self.rate.each();
        let burst = match arrival {
            Arrival::Returning => self.rate.burst(),
            Arrival::Newcomer => self.rate.burst() / 2,
        };
        if self.whole_at.since(now) + each <= each * burst {
            self.whole_at = self.whole_at.max(now).after(each);
            return Ok(());
        }
        Err(self.put_off(now, arrival, random))
    }

    /// Gives somebody who cannot come in a place in the line: how long to wait for it.
    pub fn put_off(&mut self, now: Instant, arrival: Arrival, random: u64) -> Duration {
        let each = self.rate.each() + self.rate.each() / SLACK;
        let soonest = now.after(SOONEST);
        let (line, from) = match arrival {
            Arrival::Returning => (&mut self.returning_until, soonest),
            // Newcomers stand behind all who return.
            Arrival::Newcomer => (&mut self.newcomers_until, soonest.max(self.returning_until)),
        };
        let place = from.max(*line);
        let wait = place.since(now);
        if wait >= LATEST {
            return LATEST / 2 + (LATEST / 2).mul_f64(random as f64 / u64::MAX as f64);
        }
        *line = place.after(each);
        wait + each.mul_f64(random as f64 / u64::MAX as f64)
    }
}
