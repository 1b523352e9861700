//! The memory of the whole node: what its workers hold, what waits between them and comes in, and
//! how short of it the node is. All workers share it by numbers that none waits for.
//!
//! What is given up when, [`Budget`] says; the workers do it (`worker/memory.rs`).

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use martlet_core::crowd::{Budget, Level};
use martlet_core::hub::LaneId;
use martlet_core::model::{Close, Code, Refusal};

use crate::clock::Clock;
use crate::random;

mod machine;
#[cfg(test)]
mod tests;

pub use machine::given;

/// How often it is looked at what the process has.
const LOOK: Duration = Duration::from_secs(1);

/// When those come again that are refused or let go: so long after, and as much more at most.
const PUBLISHERS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));
const NEWCOMERS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(8));
const PARTED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));

/// A worker tells again of what it holds when it has changed by so much of the budget, or this.
const STEP_PART: usize = 512;
const STEP_BYTES_MIN: usize = 64 * 1024;

/// The memory of a node.
#[derive(Debug)]
pub struct Memory {
    clock: Clock,
    bytes: usize,
    budget: Mutex<Budget>,
    level: AtomicU8,
    workers: Vec<Part>,
    /// Bodies of requests that are being read or done.
    bodies: AtomicUsize,
    /// What was given up since the node began.
    pub shed: Shed,
}

/// What a worker holds, and what waits for it. Each has its own line of the cache.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
    histories: AtomicUsize,
    logs: AtomicUsize,
    queues: AtomicUsize,
    sessions: AtomicUsize,
    letters: AtomicUsize,
}

/// What a worker says that it holds, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Histories, with what the engine knows of channels and keys.
    pub histories: usize,
    /// Logs, and pages for readers who are behind.
    pub logs: usize,
    /// Private queues.
    pub queues: usize,
    /// Sessions and their connections.
    pub sessions: usize,
}

/// How often something was given up.
#[derive(Debug, Default)]
pub struct Shed {
    /// Times that a worker cut its logs.
    pub logs: AtomicU64,
    /// Clients that were not let in.
    pub newcomers: AtomicU64,
    /// Clients that were let go.
    pub clients: AtomicU64,
    /// Bytes of histories that went before their time.
    pub history_bytes: AtomicU64,
    /// Publications that were refused.
    pub publications: AtomicU64,
    /// Requests whose bodies were not read.
    pub bodies: AtomicU64,
}

/// How things are, for those who show it.
#[derive(Debug, Clone, Copy)]
pub struct MemoryStats {
    /// What all workers hold.
    pub held: Held,
    /// What waits between them.
    pub letters: usize,
    /// What is coming in.
    pub bodies: usize,
    /// What the process has beyond all that.
    pub other: usize,
    /// What there may be.
    pub budget: usize,
    /// How short it is.
    pub level: Level,
}

impl Held {
    fn sum(&self) -> usize {
        self.histories + self.logs + self.queues + self.sessions
    }

    /// By how much anything in it is another.
    pub fn differs(&self, other: &Self) -> usize {
        let pairs = [
            (self.histories, other.histories),
            (self.logs, other.logs),
            (self.queues, other.queues),
            (self.sessions, other.sessions),
        ];
        pairs.iter().map(|(one, other)| one.abs_diff(*other)).max().unwrap_or(0)
    }
}

impl Memory {
    /// So many bytes for so many workers, who hold nothing yet.
    pub fn new(bytes: usize, workers: usize) -> Self {
        Self {
            clock: Clock::begin(),
            bytes,
            budget: Mutex::new(Budget::new(bytes)),
            level: AtomicU8::new(Level::Calm as u8),
            workers: (0..workers.max(1)).map(|_| Part::default()).collect(),
            bodies: AtomicUsize::new(0),
            shed: Shed::default(),
        }
    }

    /// How short of memory the node is.
    pub fn level(&self) -> Level {
        Level::from_number(self.level.load(Relaxed))
    }

    /// Whether nobody new is let in.
    pub fn refuses_newcomers(&self) -> bool {
        self.level() >= Level::Closed
    }

    /// Whether nobody is let in, also of those who were here before.
    pub fn refuses_everybody(&self) -> bool {
        self.level() >= Level::Parting
    }

    /// When somebody is to come again who is turned away.
    pub fn turn_away(&self) -> Duration {
        self.shed.newcomers.fetch_add(1, Relaxed);
        spread(NEWCOMERS)
    }

    /// How a client is let go.
    pub fn let_go(&self) -> Close {
        self.shed.clients.fetch_add(1, Relaxed);
        Close { after: Some(spread(PARTED)), ..Code::Shed.into() }
    }

    /// Why a publication for a channel of the worker `owner` is not taken, if it is not.
    pub fn refuses_publication(&self, owner: LaneId) -> Option<Refusal> {
        let full = self.part(owner).is_some_and(|part| {
            part.letters.load(Relaxed) > Budget::for_letters(self.bytes) / self.workers.len()
        });
        if self.level() < Level::Refusing && !full {
            return None;
        }
        self.shed.publications.fetch_add(1, Relaxed);
        Some(overloaded())
    }

    /// A body of up to `bytes` is to be read, unless too much is being read already. A body of any
    /// length that may be is read when it is the only one.
    pub fn take_in(self: &Arc<Self>, bytes: usize) -> Result<Reading, Refusal> {
        let before = self.bodies.fetch_add(bytes, Relaxed);
        let reading = Reading { memory: Arc::clone(self), bytes };
        if before == 0 || before + bytes <= Budget::for_bodies(self.bytes) {
            return Ok(reading);
        }
        self.shed.bodies.fetch_add(1, Relaxed);
        Err(overloaded())
    }

    /// So many bytes of letters go to a worker.
    pub fn posted(&self, to: LaneId, bytes: usize) {
        self.part(to).into_iter().for_each(|part| _ = part.letters.fetch_add(bytes, Relaxed));
    }

    /// A worker has taken in so many bytes of letters.
    pub fn taken(&self, by: LaneId, bytes: usize) {
        self.part(by).into_iter().for_each(|part| _ = part.letters.fetch_sub(bytes, Relaxed));
    }

    /// By how much a worker's holdings may change before it tells of it.
    pub fn step(&self) -> usize {
        (self.bytes / STEP_PART / self.workers.len()).max(STEP_BYTES_MIN)
    }

    /// A worker tells what it holds.
    pub fn tell(&self, worker: LaneId, held: Held) {
        let Some(part) = self.part(worker) else { return };
        part.histories.store(held.histories, Relaxed);
        part.logs.store(held.logs, Relaxed);
        part.queues.store(held.queues, Relaxed);
        part.sessions.store(held.sessions, Relaxed);
        let counted = self.counted();
        self.judge(|budget, clock| budget.handle_counted(clock.instant(), counted));
    }

    /// How much a worker, whose own are `own` of what all hold, is to let go for `level` to end.
    pub fn share(&self, level: Level, own: usize, of: fn(&Held) -> usize) -> usize {
        let over = self.budget().over(level);
        let all = of(&self.held()).max(own).max(1);
        (over as u128 * own as u128 / all as u128) as usize
    }

    /// How much the logs of a worker may take once they are cut.
    pub fn for_logs(&self) -> usize {
        Budget::for_logs(self.bytes) / self.workers.len()
    }

    /// Looks at what the process has for as long as the node lives.
    pub async fn watch(self: Arc<Self>) {
        tracing::info!(budget = self.bytes, "the memory that this node may take, in bytes");
        loop {
            tokio::time::sleep(LOOK).await;
            self.look(machine::resident());
        }
    }

    fn look(&self, resident: Option<usize>) {
        let counted = self.counted();
        self.judge(|budget, clock| {
            let now = clock.instant();
            budget.handle_counted(now, counted);
            resident.map_or(budget.level(), |resident| budget.handle_resident(now, resident))
        });
    }

    fn judge(&self, judge: impl FnOnce(&mut Budget, &Clock) -> Level) {
        let mut budget = self.budget();
        let before = budget.level();
        let level = judge(&mut budget, &self.clock);
        if level == before {
            return;
        }
        self.level.store(level as u8, Relaxed);
        let (held, bytes) = (budget.held(), self.bytes);
        drop(budget);
        let (name, says) = (level.name(), level.says());
        if level > before {
            tracing::warn!(level = name, held, budget = bytes, "memory is short: {says}");
        } else {
            tracing::info!(level = name, held, budget = bytes, "memory is less short: {says}");
        }
    }

    fn held(&self) -> Held {
        let sum = |of: fn(&Part) -> &AtomicUsize| {
            self.workers.iter().map(|part| of(part).load(Relaxed)).sum()
        };
        Held {
            histories: sum(|part| &part.histories),
            logs: sum(|part| &part.logs),
            queues: sum(|part| &part.queues),
            sessions: sum(|part| &part.sessions),
        }
    }

    fn letters(&self) -> usize {
        self.workers.iter().map(|part| part.letters.load(Relaxed)).sum()
    }

    fn counted(&self) -> usize {
        self.held().sum() + self.letters() + self.bodies.load(Relaxed)
    }

    /// How things are.
    pub fn stats(&self) -> MemoryStats {
        let (counted, budget) = (self.counted(), self.budget());
        MemoryStats {
            held: self.held(),
            letters: self.letters(),
            bodies: self.bodies.load(Relaxed),
            other: budget.held().saturating_sub(counted),
            budget: self.bytes,
            level: budget.level(),
        }
    }

    fn part(&self, worker: LaneId) -> Option<&Part> {
        self.workers.get(usize::from(worker.0))
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is being read or done; dropping it says that it is no more.
#[derive(Debug)]
pub struct Reading {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.memory.bodies.fetch_sub(self.bytes, Relaxed);
    }
}

/// The refusal of what may be asked for again a little later.
pub fn overloaded() -> Refusal {
    Refusal::until(Code::Overloaded, spread(PUBLISHERS))
}

fn spread((least, more): (Duration, Duration)) -> Duration {
    random::time(least, more)
}
