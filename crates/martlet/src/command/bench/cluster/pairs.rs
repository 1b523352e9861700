//! Publishers at each node, who call its API, and followers of their channels at the next one: a
//! publication that is delivered has travelled. A slice of a run, with one size of batch.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};

use crate::command::bench::api::{Callers, post};
use crate::command::bench::board::{Tally, histogram};
use crate::command::bench::crowd::Crowd;
use crate::command::bench::door::Door;
use crate::command::bench::fleet::Fleet;
use crate::command::bench::load::write_data;
use crate::command::bench::process::own_cpu;
use crate::command::bench::{PARALLEL, interrupt, opening_patience};
use crate::failure::Failure;

/// How long answers and deliveries may still arrive after the last call.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a turn lasts at most, so that an interruption is noticed.
const TURN: Duration = Duration::from_millis(50);

/// Who publishes what.
#[derive(Debug, Clone, Copy)]
pub struct Crew {
    /// How many connections publish at each node.
    pub connections: usize,
    /// How many channels there are at each node.
    pub channels: usize,
    /// How many publications a request brings.
    pub batch: usize,
    /// How long the data of a publication is, in bytes.
    pub payload: usize,
}

/// What a slice came to.
#[derive(Debug, Clone)]
pub struct Slice {
    /// What was counted.
    pub tally: Tally,
    /// How long requests took until they were answered, in nanoseconds.
    pub answered: Histogram<u64>,
    /// How long it lasted, until the last answer and delivery.
    pub elapsed: Duration,
    /// The CPU time of the nodes.
    pub nodes: Duration,
    /// The CPU time of Redis.
    pub store: Duration,
    /// The CPU time of the generator.
    pub generator: Duration,
}

/// The pairs of one fleet.
pub struct Pairs {
    epoll: OwnedFd,
    pairs: Vec<Pair>,
}

/// Publishers at one node, and followers at another.
struct Pair {
    publishers: Callers,
    door: Door,
    crew: Crew,
    /// The names of the channels, of which each publisher has a share.
    channels: Vec<String>,
    /// Which of its share each publishes in next.
    next: Vec<usize>,
    crowd: Crowd,
}

impl Pairs {
    /// Connects all of them.
    pub fn connect(fleet: &Fleet, crew: Crew) -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format!("cannot wait: {error}"));
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let mut pairs = Vec::new();
        for (i, node) in fleet.nodes.iter().enumerate() {
            let follows = &fleet.nodes[(i + 1) % fleet.nodes.len()];
            let pair = Pair::connect(&node.door, &follows.door, crew)?;
            for waiting in [pair.publishers.waiting(), pair.crowd.waiting()] {
                let number = epoll::EventData::new_u64(i as u64);
                epoll::add(&epoll, waiting, number, epoll::EventFlags::IN).map_err(failed)?;
            }
            pairs.push(pair);
        }
        Ok(Self { epoll, pairs })
    }

    /// Publishes for so long, and waits for the last answer and delivery.
    pub fn run(&mut self, fleet: &Fleet, lasting: Duration) -> Result<Slice, Failure> {
        let cpu =
            || fleet.cpu().ok_or_else(|| Failure::failed(format!("{} is gone", fleet.whole.name)));
        let (before, generator) = (cpu()?, own_cpu());
        let (begun, mut answered) = (Instant::now(), histogram());
        self.pairs.iter_mut().try_for_each(Pair::begin)?;
        while self.pairs.iter().any(Pair::busy) {
            interrupt::check()?;
            if begun.elapsed() > lasting + DRAIN {
                self.pairs.iter_mut().for_each(|pair| pair.crowd.give_up());
                break;
            }
            let goes_on = begun.elapsed() < lasting;
            for pair in self.ready()? {
                self.pairs[pair].turn(goes_on, &mut answered)?;
            }
        }
        let (elapsed, after) = (begun.elapsed(), cpu()?);
        let mut tally = Tally::default();
        for pair in &mut self.pairs {
            pair.crowd.check()?;
            tally.add(&std::mem::take(&mut pair.crowd.board.tally));
        }
        Ok(Slice {
            tally,
            answered,
            elapsed,
            nodes: after.0.saturating_sub(before.0),
            store: after.1.saturating_sub(before.1),
            generator: own_cpu().saturating_sub(generator),
        })
    }

    /// Waits until there is something to do, and for which pairs.
    fn ready(&self) -> Result<Vec<usize>, Failure> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(2 * self.pairs.len());
        let timeout = Timespec::try_from(TURN).expect("the longest turn is short");
        let room = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&self.epoll, room, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::failed(format!("cannot wait: {error}"))),
        }
        let mut ready: Vec<usize> = events.iter().map(|event| event.data.u64() as usize).collect();
        ready.dedup();
        Ok(ready)
    }
}

impl Pair {
    fn connect(publish: &Door, follow: &Door, crew: Crew) -> Result<Self, Failure> {
        let mut crowd = Crowd::new(follow, crew.channels)?;
        let all = (0..crew.channels).map(Some);
        let opened = crowd.open(all, PARALLEL, opening_patience(crew.channels))?;
        if opened.opened < crew.channels as u64 {
            return Err(Failure::failed(crowd.first_failure()));
        }
        let requests = (0..crew.connections).map(|_| Vec::new());
        Ok(Self {
            publishers: Callers::with(publish, requests, None)?,
            door: publish.clone(),
            crew,
            channels: (0..crew.channels).map(|channel| follow.channel(channel)).collect(),
            next: vec![0; crew.connections],
            crowd,
        })
    }

    /// Everybody publishes.
    fn begin(&mut self) -> Result<(), Failure> {
        self.crowd.board.tally = Tally::default();
        (0..self.crew.connections).try_for_each(|publisher| self.publish(publisher))
    }

    /// Whether something is still to arrive.
    fn busy(&self) -> bool {
        self.publishers.calling() || self.crowd.board.under_way > 0
    }

    /// Takes in what has come. Whoever was answered publishes again, if it goes on.
    fn turn(&mut self, goes_on: bool, answered: &mut Histogram<u64>) -> Result<(), Failure> {
        for (publisher, took) in self.publishers.turn(Duration::ZERO)? {
            answered.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            if goes_on {
                self.publish(publisher)?;
            }
        }
        self.crowd.turn(Duration::ZERO)?;
        self.crowd.board.completed.clear();
        Ok(())
    }

    /// The next publications of one publisher. No other publishes in its channels, so that what is
    /// sent first is also first.
    fn publish(&mut self, publisher: usize) -> Result<(), Failure> {
        let Self { crowd, channels, crew, door, .. } = self;
        let (share, mut all, now) = (crew.channels / crew.connections, Vec::new(), Instant::now());
        for _ in 0..crew.batch {
            let channel = publisher * share + self.next[publisher] % share;
            self.next[publisher] += 1;
            let mut data = Vec::with_capacity(crew.payload);
            write_data(crowd.board.publish(channel, now), crew.payload, &mut data);
            all.push((channels[channel].as_str(), data));
        }
        let key = door.key.as_deref();
        self.publishers.ask(publisher, |request| post::write(door, key, &all, request))
    }
}
