//! Publishing at a pace, and counting what that costs and how long it takes: one slice of a run.

use std::time::{Duration, Instant};

use super::board::{DIGITS, Tally};
use super::crowd::Crowd;
use super::process::own_cpu;
use crate::failure::Failure;

/// How long deliveries may still arrive after the last publication.
const DRAIN: Duration = Duration::from_secs(5);

/// Publications that may be under way before the server is taken to be overloaded.
const UNDER_WAY_MAX: usize = 200_000;

/// Bytes that a publisher may have to wait with.
const UNSENT_MAX: usize = 16 * 1024 * 1024;

/// Publications made in one turn.
const BURST: u64 = 1_024;

/// How long before something is due a punctual publisher does not sleep any more.
const AWAKE: Duration = Duration::from_millis(2);

/// When the next publication is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// When there is room among the deliveries of so many.
    InFlight(usize),
    /// So many times a second, whatever the server does.
    Rate(f64),
    /// The same to the microsecond, where timers have milliseconds: the publisher is awake by then.
    Punctual(f64),
}

/// Who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publisher {
    /// One client, into all channels in turn.
    One(usize),
    /// Each client into the channel of its own number.
    Each,
}

/// Publishes into a crowd's channels.
#[derive(Debug, Clone)]
pub struct Load {
    /// Who publishes.
    pub publisher: Publisher,
    /// When.
    pub pace: Pace,
    /// How many channels there are.
    pub channels: usize,
    /// How long the data of a publication is, in bytes.
    pub payload: usize,
}

/// What a slice came to.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// What was counted.
    pub tally: Tally,
    /// How long it lasted, until the last delivery.
    pub elapsed: Duration,
    /// The CPU time of the server.
    pub server: Option<Duration>,
    /// The CPU time of the generator.
    pub generator: Duration,
    /// The longest that a publication was sent after it was meant to be.
    pub late: Duration,
    /// Whether publications were left out, because the server had too many under way.
    pub overloaded: bool,
}

impl Load {
    /// Publishes for so long, and waits for the last delivery.
    pub fn run(
        &self,
        crowd: &mut Crowd,
        cpu: impl Fn() -> Option<Duration>,
        lasting: Duration,
    ) -> Result<Slice, Failure> {
        crowd.board.tally = Tally::default();
        crowd.board.completed.clear();
        let (server, generator) = (cpu(), own_cpu());
        let mut shift = Shift::new(self, crowd);
        let begun = shift.begun;
        match self.pace {
            Pace::InFlight(count) => shift.in_flight(count, lasting)?,
            Pace::Rate(rate) | Pace::Punctual(rate) => shift.at_rate(rate, lasting)?,
        }
        shift.drain()?;
        let (late, overloaded) = (shift.late, shift.overloaded);
        let elapsed = begun.elapsed();
        let after = cpu();
        crowd.check()?;
        Ok(Slice {
            tally: std::mem::take(&mut crowd.board.tally),
            elapsed,
            server: after.zip(server).map(|(after, before)| after.saturating_sub(before)),
            generator: own_cpu().saturating_sub(generator),
            late,
            overloaded,
        })
    }
}

/// One slice while it runs.
struct Shift<'a> {
    load: &'a Load,
    crowd: &'a mut Crowd,
    begun: Instant,
    next: usize,
    data: Vec<u8>,
    late: Duration,
    overloaded: bool,
}

impl<'a> Shift<'a> {
    fn new(load: &'a Load, crowd: &'a mut Crowd) -> Self {
        Self {
            load,
            crowd,
            begun: Instant::now(),
            next: 0,
            data: Vec::new(),
            late: Duration::ZERO,
            overloaded: false,
        }
    }

    /// Keeps the deliveries of `count` publications under way; with several publishers, those of
    /// each of them.
    fn in_flight(&mut self, count: usize, lasting: Duration) -> Result<(), Failure> {
        match self.load.publisher {
            Publisher::One(_) => self.one_in_flight(count as u64, lasting),
            Publisher::Each => self.each_in_flight(count, lasting),
        }
    }

    /// With each delivery there is a little more room, so that publications come while others are
    /// being delivered. If the next one waited until everybody has the last, they would come in
    /// bursts, and a server that puts together what comes meanwhile had nothing to put together.
    fn one_in_flight(&mut self, count: u64, lasting: Duration) -> Result<(), Failure> {
        while self.begun.elapsed() < lasting {
            let mut made = 0;
            while made < BURST && self.has_room(count)? {
                self.publish_next(Instant::now())?;
                made += 1;
            }
            if made > 0 {
                self.send();
            }
            self.crowd.turn(lasting.saturating_sub(self.begun.elapsed()))?;
            self.crowd.board.completed.clear();
            self.check()?;
        }
        Ok(())
    }

    /// Whether the next publication's deliveries are among those that may be under way.
    fn has_room(&mut self, count: u64) -> Result<bool, Failure> {
        let channel = self.next_channel()?;
        let board = &self.crowd.board;
        Ok(board.owed <= (count - 1) * board.readers(channel))
    }

    fn each_in_flight(&mut self, count: usize, lasting: Duration) -> Result<(), Failure> {
        for _ in 0..count * self.load.channels {
            self.publish_next(Instant::now())?;
        }
        while self.begun.elapsed() < lasting {
            self.crowd.turn(lasting.saturating_sub(self.begun.elapsed()))?;
            self.check()?;
            for channel in std::mem::take(&mut self.crowd.board.completed) {
                self.publish(channel, Instant::now())?;
            }
        }
        Ok(())
    }

    /// Makes the publications that are due, at most [`BURST`] in a turn.
    fn at_rate(&mut self, rate: f64, lasting: Duration) -> Result<(), Failure> {
        let due = |number: u64| Duration::from_secs_f64(number as f64 / rate);
        let mut made = 0;
        while due(made) < lasting {
            let elapsed = self.begun.elapsed();
            let until = made + BURST;
            while due(made) <= elapsed && due(made) < lasting && made < until {
                self.late = self.late.max(elapsed - due(made));
                self.publish_next(self.begun + due(made))?;
                made += 1;
            }
            self.send();
            self.crowd.board.completed.clear();
            self.wait(due(made).saturating_sub(self.begun.elapsed()))?;
            if self.begun.elapsed() > lasting * 2 {
                self.overloaded = true;
                break;
            }
        }
        Ok(())
    }

    /// Takes in what comes until something is due.
    fn wait(&mut self, left: Duration) -> Result<(), Failure> {
        match self.load.pace {
            Pace::Punctual(_) => self.crowd.turn(left.saturating_sub(AWAKE)),
            _ => self.crowd.turn(left),
        }
    }

    /// The next channel that somebody follows.
    fn next_channel(&mut self) -> Result<usize, Failure> {
        for _ in 0..self.load.channels {
            let channel = self.next % self.load.channels;
            if self.crowd.board.readers(channel) > 0 {
                return Ok(channel);
            }
            self.next += 1;
        }
        Err(Failure::failed(self.crowd.first_failure()))
    }

    fn publish_next(&mut self, intended: Instant) -> Result<(), Failure> {
        let channel = self.next_channel()?;
        self.next += 1;
        self.publish(channel, intended)
    }

    fn publish(&mut self, channel: usize, intended: Instant) -> Result<(), Failure> {
        let index = match self.load.publisher {
            Publisher::One(index) => index,
            Publisher::Each => channel,
        };
        let Some(client) = self.crowd.client(index) else { return self.check() };
        let unsent = client.unsent();
        if self.crowd.board.under_way >= UNDER_WAY_MAX || unsent > UNSENT_MAX {
            self.overloaded = true;
            return Ok(());
        }
        let number = self.crowd.board.publish(channel, intended);
        self.data.clear();
        write_data(number, self.load.payload, &mut self.data);
        self.crowd.publish(index, channel, &self.data);
        if self.load.publisher == Publisher::Each {
            self.crowd.flush(index);
        }
        Ok(())
    }

    /// Without anybody who publishes or follows there is nothing to measure.
    fn check(&mut self) -> Result<(), Failure> {
        let publishes = match self.load.publisher {
            Publisher::One(index) => self.crowd.client(index).is_some(),
            Publisher::Each => true,
        };
        let followed = (0..self.load.channels).any(|at| self.crowd.board.readers(at) > 0);
        match publishes && followed {
            true => Ok(()),
            false => Err(Failure::failed(self.crowd.first_failure())),
        }
    }

    /// Sends everything that one publisher has said in this turn at once.
    fn send(&mut self) {
        if let Publisher::One(index) = self.load.publisher {
            self.crowd.flush(index);
        }
    }

    /// Waits for what is under way.
    fn drain(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        while self.crowd.board.under_way > 0 {
            let left = DRAIN.saturating_sub(begun.elapsed());
            if left.is_zero() {
                self.crowd.give_up();
                break;
            }
            self.crowd.turn(left)?;
        }
        self.crowd.board.completed.clear();
        self.check()
    }
}

/// Data of the wanted length, which begins with the number of its publication.
pub fn write_data(number: u64, length: usize, out: &mut Vec<u8>) {
    use std::io::Write as _;
    // A vector takes everything.
    let _ = write!(out, "{number:0DIGITS$}");
    out.resize(out.len() + length.saturating_sub(DIGITS), b'x');
}

#[cfg(test)]
mod tests;
