//! A node of the world: its workers, the letters between them, and its wall clock.

use std::collections::VecDeque;
use std::sync::Arc;

use martlet_core::hub::LaneId;
use martlet_core::time::Instant;

use crate::dice::Dice;
use crate::options::Options;
use crate::presence::Attendance;
use crate::transition::Place;
use crate::worker::{Letter, Worker};

/// A node.
pub struct Node {
    /// Its number.
    pub number: usize,
    /// How often it has begun anew.
    pub life: u32,
    /// Whether it runs.
    pub up: bool,
    /// How far its wall clock is from the truth.
    pub skew_ms: i64,
    /// Its workers.
    pub workers: Vec<Worker>,
    /// For each worker, whether it is to sweep.
    pub sweeping: Vec<bool>,
    /// For each worker, the deadline that is in the queue.
    pub ticking: Vec<Option<Instant>>,
    /// Who is in its channels.
    pub attendance: Attendance,
    /// Letters on their way, by sender and receiver, in order.
    letters: Vec<VecDeque<(Instant, Letter)>>,
}

impl Node {
    /// A node that has just begun.
    pub fn new(number: usize, options: &Options, dice: &mut Dice) -> Self {
        let skew = options.skew_ms;
        let skew_ms = dice.between(0, 2 * skew as usize) as i64 - skew;
        let mut node = Self {
            number,
            life: 0,
            up: true,
            skew_ms,
            workers: Vec::new(),
            sweeping: Vec::new(),
            ticking: Vec::new(),
            attendance: Attendance::default(),
            letters: Vec::new(),
        };
        node.begin(options, dice);
        node
    }

    /// Begins anew, knowing nothing.
    pub fn begin(&mut self, options: &Options, dice: &mut Dice) {
        let count = options.workers;
        self.life += 1;
        self.up = true;
        self.workers = (0..count)
            .map(|i| Worker::new(LaneId(i), count, Arc::clone(&options.rules), dice.bits()))
            .collect();
        self.sweeping = vec![false; count.into()];
        self.ticking = vec![None; count.into()];
        self.attendance = Attendance::default();
        self.letters = (0..count * count).map(|_| VecDeque::new()).collect();
    }

    /// One of its workers, in this life.
    pub fn place(&self, worker: LaneId) -> Place {
        Place { node: self.number, life: self.life, worker }
    }

    /// Sends a letter that arrives at `at`, or after the one before it. Gives when.
    pub fn post(&mut self, from: LaneId, to: LaneId, at: Instant, letter: Letter) -> Instant {
        let letters =
            &mut self.letters[self.workers.len() * usize::from(from.0) + usize::from(to.0)];
        let at = letters.back().map_or(at, |(before, _)| at.max(*before));
        letters.push_back((at, letter));
        at
    }

    /// The oldest letter on its way.
    pub fn take_letter(&mut self, from: LaneId, to: LaneId) -> Option<Letter> {
        let index = self.workers.len() * usize::from(from.0) + usize::from(to.0);
        self.letters[index].pop_front().map(|(_, letter)| letter)
    }
}
