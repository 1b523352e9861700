//! The channel that goes on while others come back: a publication every 10 ms, which 50 follow.
//! Whoever publishes here also publishes what those others miss, and one more client sees that it
//! was published.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::command::bench::board::Tally;
use crate::command::bench::crowd::Crowd;
use crate::command::bench::door::Door;
use crate::command::bench::load::write_data;
use crate::command::bench::{PARALLEL, opening_patience};
use crate::failure::Failure;

/// Clients here.
pub const CLIENTS: usize = 52;

/// The time between two publications.
const INTERVAL: Duration = Duration::from_millis(10);

/// How long a publication may be under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The channel that is missed, and the one that goes on.
pub const MISSED: usize = 0;
const LIVE: usize = 1;

/// The clients of both.
pub struct Live {
    crowd: Crowd,
    payload: usize,
    begun: Instant,
    made: u32,
}

impl Live {
    /// Opens them.
    pub fn open(door: &Door, payload: usize) -> Result<Self, Failure> {
        let mut crowd = Crowd::new(door, 2)?;
        let first = [None, Some(MISSED)].into_iter();
        let all = first.chain((2..CLIENTS).map(|_| Some(LIVE)));
        let opened = crowd.open(all, PARALLEL, opening_patience(CLIENTS))?;
        if opened.opened < CLIENTS as u64 {
            return Err(Failure::failed(crowd.first_failure()));
        }
        Ok(Self { crowd, payload, begun: Instant::now(), made: 0 })
    }

    fn publish(&mut self, channel: usize, intended: Instant) {
        let mut data = Vec::new();
        write_data(self.crowd.board.publish(channel, intended), self.payload, &mut data);
        self.crowd.publish(0, channel, &data);
    }

    /// Publishes into the channel that is missed, until all who are there have it.
    pub fn publish_missed(&mut self, publications: u64) -> Result<(), Failure> {
        let begun = Instant::now();
        (0..publications).for_each(|_| self.publish(MISSED, begun));
        self.crowd.flush(0);
        self.drain()
    }

    /// Waits until nothing is under way.
    pub fn drain(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        while self.crowd.board.under_way > 0 && begun.elapsed() < PATIENCE {
            self.crowd.turn(PATIENCE)?;
        }
        self.crowd.board.completed.clear();
        self.crowd.check()?;
        match self.crowd.board.under_way {
            0 => Ok(()),
            _ => Err(Failure::failed(format!("{}: publications are lost", self.crowd.door().name))),
        }
    }

    /// From now on it counts.
    pub fn begin(&mut self) {
        self.crowd.board.tally = Tally::default();
        (self.begun, self.made) = (Instant::now(), 0);
    }

    /// Publishes if it is time to, and takes what has come.
    pub fn turn(&mut self) -> Result<(), Failure> {
        let due = self.begun + INTERVAL * self.made;
        if due <= Instant::now() {
            self.publish(LIVE, due);
            self.crowd.flush(0);
            self.made += 1;
        }
        self.crowd.board.completed.clear();
        self.crowd.turn(Duration::ZERO)
    }

    /// The latency since it began to count.
    pub fn latency(&mut self) -> Result<Histogram<u64>, Failure> {
        self.drain()?;
        Ok(std::mem::take(&mut self.crowd.board.tally).latency)
    }
}
