//! The world: nodes, stores, connections and clients, and the queue of what happens next. Every
//! random choice falls from one seed, so the same seed lives the same life.
//!
//! First comes the phase of *safety*, in which anything may go wrong and no promise may be
//! broken; then that of *liveness*, in which nothing goes wrong any more and everything has to
//! come right; then everybody leaves, and nothing may be left.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use martlet_core::hub::LaneId;
use martlet_core::model::UnixMillis;
use martlet_core::port::News;
use martlet_core::time::{Instant, Now};

use crate::client::Client;
use crate::depot::Depot;
use crate::dice::Dice;
use crate::link::Link;
use crate::node::Node;
use crate::options::Options;
use crate::reader::Reader;
use crate::record::{Checked, Record, Violation};
use crate::transition::{Place, Transition};
use crate::worker::ConnectionId;

mod carry;
mod clients;
mod deeds;
mod links;
mod phases;
mod troubles;

/// When the world begins, as wall clocks say it.
const BEGINNING: UnixMillis = UnixMillis(1_700_000_000_000);

/// The most transitions of one world: more means that something goes round in circles.
const TRANSITIONS_MAX: u64 = 400_000;

/// How many of the last transitions a failure tells.
const TOLD: usize = 50;

/// The longest line that is told, in characters; only the options are told whole.
const LINE: usize = 240;

/// Something that is to happen: when, in which order among those of the same moment, and what.
struct Due(Instant, u64, Transition);

/// A world.
pub struct World {
    options: Options,
    dice: Dice,
    now: Instant,
    queue: BinaryHeap<Reverse<Due>>,
    sequence: u64,
    happened: u64,
    nodes: Vec<Node>,
    depots: Vec<Depot>,
    links: BTreeMap<ConnectionId, Link>,
    connections: u64,
    clients: Vec<Client>,
    readers: Vec<Reader>,
    record: Record,
    /// Which pairs of nodes do not hear each other.
    partitions: BTreeSet<(usize, usize)>,
    /// Whether troubles still happen.
    troubled: bool,
    deeds_left: usize,
    published: u64,
    /// The last transitions, if they are written down.
    log: Option<VecDeque<String>>,
    tell_all: bool,
}

/// What a seed's life came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Life {
    /// How many transitions happened.
    pub transitions: u64,
    /// How many publications the clients got.
    pub received: u64,
    /// How many publications the plain readers got.
    pub read: u64,
    /// How many events the clients were told.
    pub answers: u64,
}

/// A promise was broken.
#[derive(Debug, Clone)]
pub struct Failure {
    /// In which world.
    pub seed: u64,
    /// When.
    pub at: Instant,
    /// Which.
    pub why: String,
    /// What happened before, newest last.
    pub log: Vec<String>,
}

/// How much of a life is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Nothing: the fastest.
    Nothing,
    /// The last transitions before a failure.
    Last,
    /// Everything.
    All,
}

/// Lives the life of a seed.
pub fn live(seed: u64, telling: Telling) -> Result<Life, Failure> {
    let mut world = World::new(seed, telling);
    world.live().map_err(|violation| world.failure(seed, violation))?;
    Ok(world.life())
}

/// Lives the life of a seed and gives everything that happened in it, line by line.
pub fn tell(seed: u64) -> (Vec<String>, Result<Life, Failure>) {
    let mut world = World::new(seed, Telling::All);
    let lived = world.live().map_err(|violation| world.failure(seed, violation));
    let lived = lived.map(|()| world.life());
    (world.log.unwrap_or_default().into(), lived)
}

impl World {
    fn new(seed: u64, telling: Telling) -> Self {
        let mut dice = Dice::new(seed);
        let options = Options::draw(&mut dice);
        let depots = if options.shared { 1 } else { options.nodes };
        let depots = (0..depots).map(|_| Depot::new(options.shared, dice.bits())).collect();
        let nodes = (0..options.nodes).map(|i| Node::new(i, &options, &mut dice)).collect();
        let clients = Self::make_clients(&options, &mut dice);
        let readers = Self::make_readers(&options, &mut dice);
        let deeds_left = options.deeds;
        let mut world = Self {
            options,
            dice,
            now: Instant(0),
            queue: BinaryHeap::new(),
            sequence: 0,
            happened: 0,
            nodes,
            depots,
            links: BTreeMap::new(),
            connections: 0,
            clients,
            readers,
            record: Record::default(),
            partitions: BTreeSet::new(),
            troubled: true,
            deeds_left,
            published: 0,
            log: (telling != Telling::Nothing).then(VecDeque::new),
            tell_all: telling == Telling::All,
        };
        world.note(|world| format!("{:#?}", world.options));
        world
    }

    fn failure(&self, seed: u64, Violation(why): Violation) -> Failure {
        let log = self.log.iter().flatten();
        let log = log.skip(self.log.as_ref().map_or(0, |log| log.len().saturating_sub(TOLD)));
        Failure { seed, at: self.now, why, log: log.cloned().collect() }
    }

    fn life(&self) -> Life {
        let followers = || self.clients.iter().flat_map(|client| client.wants.values());
        Life {
            transitions: self.happened,
            received: followers().map(|follower| follower.received).sum(),
            read: self.readers.iter().map(|reader| reader.received).sum(),
            answers: self.clients.iter().map(|client| client.answers).sum(),
        }
    }

    /// What the clocks of a node say.
    fn now_at(&self, node: usize) -> Now {
        let wall = BEGINNING.plus_ms(self.now.0 / 1_000);
        let skew = self.nodes[node].skew_ms;
        let wall = UnixMillis(wall.0.saturating_add_signed(skew));
        Now { instant: self.now, wall }
    }

    /// What a good clock says.
    fn true_now(&self) -> Now {
        Now { instant: self.now, wall: BEGINNING.plus_ms(self.now.0 / 1_000) }
    }

    fn later(&mut self, at: Instant, transition: Transition) {
        self.sequence += 1;
        self.queue.push(Reverse(Due(at.max(self.now), self.sequence, transition)));
    }

    fn after(&mut self, wait: Duration, transition: Transition) {
        self.later(self.now.after(wait), transition);
    }

    /// Lets happen what is due until `until`; gives whether anything is left to happen.
    fn run_until(&mut self, until: Instant) -> Checked {
        while let Some(Reverse(Due(at, ..))) = self.queue.peek() {
            if *at > until {
                break;
            }
            let Some(Reverse(Due(at, _, transition))) = self.queue.pop() else { break };
            self.now = at;
            self.happened += 1;
            if self.happened > TRANSITIONS_MAX {
                return Err(Violation("the world does not come to rest".into()));
            }
            self.happen(transition)?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    fn happen(&mut self, transition: Transition) -> Checked {
        self.note(|_| format!("{transition:?}"));
        match transition {
            Transition::Letter(place, from) => self.letter(place, from),
            Transition::Ask(depot, request) => self.ask_store(depot, request),
            Transition::Reply(place, ticket, reply) => self.at_worker(place, |worker, now| {
                worker.handle_store(now, ticket, *reply);
            }),
            Transition::Announced(place, publication) => self.at_worker(place, |worker, now| {
                worker.handle_news(now, News::Publication(publication));
            }),
            Transition::Sweep(place) => self.sweep(place),
            Transition::Tick(place) => self.tick(place),
            Transition::Verdict(place, session, number, verdict) => {
                self.at_worker(place, |worker, now| {
                    worker.handle_verdict(now, session, number, *verdict);
                })
            }
            Transition::Up(connection) => self.arrive_up(connection),
            Transition::Down(connection) => self.arrive_down(connection),
            Transition::Writable(connection) => self.writable(connection),
            Transition::Wake(end) => self.wake(end),
            Transition::Inspect => self.inspect(),
            Transition::Deed => self.deed(),
            Transition::Heal(trouble) => self.heal(&trouble),
            Transition::Begin(node) => {
                self.begin(node);
                Ok(())
            }
        }
    }

    /// Writes something down, if anything is.
    fn note(&mut self, tell: impl FnOnce(&Self) -> String) {
        let Some(mut log) = self.log.take() else { return };
        let mut line = format!("{:>12.6} {}", self.now.0 as f64 / 1e6, tell(self));
        if let Some((end, _)) = line.char_indices().nth(LINE).filter(|_| !log.is_empty()) {
            line.truncate(end);
        }
        log.push_back(line);
        if !self.tell_all && log.len() > TOLD {
            log.pop_front();
        }
        self.log = Some(log);
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}
