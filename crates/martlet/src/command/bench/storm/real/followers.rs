//! All followers, on one thread: sets them out when their time has come, moves on whichever is
//! ready, and counts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use fastrand::Rng;
use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};

use super::follower::{Follower, Stage};
use super::heard::Heard;
use super::ledger::Ledger;
use crate::command::bench::board::histogram;
use crate::command::bench::door::Door;
use crate::command::bench::storm::flow::Flow;
use crate::command::bench::storm::policy::{Clients, Loss};
use crate::failure::Failure;

/// Events taken in one turn, so few that publications go out in time, and that those who watch
/// are not kept waiting.
const EVENTS: usize = 16;

/// What is ready when anybody of those is who watch.
const WATCHERS: u64 = u64::MAX;

/// What one read takes at most.
const READ_BYTES: usize = 64 * 1024;

/// How long a follower waits until it is let in.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happened since counting began.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Followers that set out.
    pub arrivals: Flow,
    /// Followers that are connected again.
    pub back: Flow,
    /// How long each was not, in nanoseconds.
    pub away: Histogram<u64>,
    /// Connections that were lost.
    pub gone: u64,
    /// How often those set out who are back, and the most of one of them.
    pub tries: u64,
    /// The most of one.
    pub most_tries: u32,
    /// When the first connection was lost.
    pub first_lost: Option<Instant>,
    /// When the last follower was back.
    pub last_back: Option<Instant>,
}

/// The followers.
pub struct Followers {
    door: Door,
    /// Where they come in.
    pub entrances: Vec<SocketAddr>,
    /// Where those come in who watch.
    watched: Vec<SocketAddr>,
    names: Vec<String>,
    all: Vec<Follower>,
    live: usize,
    coming: usize,
    epoll: OwnedFd,
    /// Those who watch have their own, which is looked at first.
    watch: OwnedFd,
    due: BinaryHeap<Reverse<(Instant, u32)>>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    random: Rng,
    began: Instant,
    swept: Instant,
    /// What was published and has come.
    pub ledger: Ledger,
    /// What was counted.
    pub counted: Counted,
    counts_from: Instant,
}

impl Counted {
    fn new() -> Self {
        Self {
            arrivals: Flow::default(),
            back: Flow::default(),
            away: histogram(),
            gone: 0,
            tries: 0,
            most_tries: 0,
            first_lost: None,
            last_back: None,
        }
    }
}

impl Followers {
    /// Nobody, who will come in by these entrances; those who watch by others.
    pub fn new(
        door: &Door,
        entrances: Vec<SocketAddr>,
        watched: Vec<SocketAddr>,
        channels: usize,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format!("cannot wait: {error}"));
        let create = || epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed);
        let (epoll, watch, now) = (create()?, create()?, Instant::now());
        let number = epoll::EventData::new_u64(WATCHERS);
        epoll::add(&epoll, &watch, number, epoll::EventFlags::IN).map_err(failed)?;
        Ok(Self {
            door: door.clone(),
            entrances,
            watched,
            names: (0..channels).map(|channel| door.channel(channel)).collect(),
            all: Vec::new(),
            live: 0,
            coming: 0,
            epoll,
            watch,
            due: BinaryHeap::new(),
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; READ_BYTES],
            random: Rng::with_seed(1),
            began: now,
            swept: now,
            ledger: Ledger::new(channels),
            counted: Counted::new(),
            counts_from: now,
        })
    }

    /// So many more, none of them there yet, who go round the channels.
    pub fn add(&mut self, count: usize, clients: Clients, watches: bool) {
        let now = Instant::now();
        for number in 0..count {
            let policy = clients.policy(self.random.u64(..));
            let mut follower = Follower::new(number % self.names.len(), policy, now);
            follower.watches = watches;
            self.all.push(follower);
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Follower] {
        &self.all
    }

    /// How many are there.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Lets all of them come, some at a time.
    pub fn open(&mut self, parallel: usize, patience: Duration) -> Result<(), Failure> {
        let (begun, mut next) = (Instant::now(), 0);
        while self.live < self.all.len() {
            if begun.elapsed() > patience {
                let (live, all) = (self.live, self.all.len());
                return Err(Failure::failed(format!("{live} of {all} were let in in time")));
            }
            let room = parallel.saturating_sub(self.coming);
            for who in (next..self.all.len()).take(room) {
                self.begin(who);
                next = who + 1;
            }
            self.turn(Duration::from_millis(5))?;
        }
        Ok(())
    }

    /// From now on it counts.
    pub fn count_from(&mut self, now: Instant) {
        (self.counted, self.counts_from) = (Counted::new(), now);
    }

    fn moment(&self, now: Instant) -> martlet_core::time::Instant {
        let since = now.saturating_duration_since(self.counts_from);
        martlet_core::time::Instant(since.as_micros() as u64)
    }

    fn begin(&mut self, who: usize) {
        let now = Instant::now();
        let (moment, clock) = (self.moment(now), self.clock(now));
        if let Err(wait) = self.all[who].policy.permit(clock) {
            return self.due.push(Reverse((now + wait, who as u32)));
        }
        self.counted.arrivals.add(moment, 1);
        let follower = &mut self.all[who];
        let entrances = if follower.watches { &self.watched } else { &self.entrances };
        let entrance = entrances[self.random.usize(..entrances.len())];
        if follower.begin(&self.door, entrance, now).is_err() {
            return self.lose(who, Loss::Cut);
        }
        self.coming += 1;
        let number = epoll::EventData::new_u64(who as u64);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT;
        let epoll = if follower.watches { &self.watch } else { &self.epoll };
        let added = follower.socket().map(|socket| epoll::add(epoll, socket, number, flags));
        if !matches!(added, Some(Ok(()))) {
            self.lose(who, Loss::Cut);
        }
    }

    /// Waits until something happens, at most for so long, and does what is to be done.
    pub fn turn(&mut self, timeout: Duration) -> Result<(), Failure> {
        let now = Instant::now();
        let until = self.due.peek().map(|Reverse((at, _))| at.saturating_duration_since(now));
        let timeout = until.map_or(timeout, |until| until.min(timeout));
        self.serve_ready(false, timeout)?;
        self.serve_ready(true, Duration::ZERO)?;
        self.set_out();
        Ok(())
    }

    /// Moves on those who are ready, of those who watch or of the others.
    fn serve_ready(&mut self, watching: bool, timeout: Duration) -> Result<(), Failure> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let timeout = Timespec::try_from(timeout).expect("a turn is short");
        let epoll = if watching { &self.watch } else { &self.epoll };
        match epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::failed(format!("cannot wait: {error}"))),
        }
        for event in events.iter().filter(|event| event.data.u64() != WATCHERS) {
            self.serve(event.data.u64() as usize, event.flags);
        }
        self.events = events;
        Ok(())
    }

    /// Those whose time has come set out, and those who waited too long try again.
    fn set_out(&mut self) {
        let now = Instant::now();
        for _ in 0..EVENTS {
            let Some(Reverse((at, who))) = self.due.peek().copied() else { break };
            if at > now {
                break;
            }
            self.due.pop();
            self.begin(who as usize);
        }
        if now.saturating_duration_since(self.swept) > Duration::from_millis(500) {
            self.swept = now;
            for who in 0..self.all.len() {
                let follower = &self.all[who];
                if follower.stage.coming()
                    && now.saturating_duration_since(follower.begun) > PATIENCE
                {
                    self.lose(who, Loss::Cut);
                }
            }
        }
    }

    fn serve(&mut self, who: usize, flags: epoll::EventFlags) {
        let Self { all, ledger, names, buffer, .. } = self;
        let follower = &mut all[who];
        let (stage, waited) = (follower.stage, follower.waits());
        let mut outcome = Ok(());
        if flags.intersects(epoll::EventFlags::OUT | epoll::EventFlags::ERR) {
            outcome = follower.flush();
        }
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if outcome.is_ok() && flags.intersects(readable) {
            let now = Instant::now();
            let name = names[follower.channel].clone();
            outcome = follower.read(&name, buffer, |follower, heard| match heard {
                Heard::Publication { number, .. } => ledger.deliver(follower, number, now),
                Heard::Gap(to) => ledger.gap(follower, to),
                _ => {}
            });
        }
        if follower.stage == Stage::Live && stage != Stage::Live {
            self.welcome(who);
        }
        match outcome {
            Ok(()) => self.rearm(who, waited),
            Err(loss) => self.lose(who, loss),
        }
    }

    /// Waits for room only while there is something to write.
    fn rearm(&mut self, who: usize, waited: bool) {
        let follower = &self.all[who];
        let (Some(socket), waits) = (follower.socket(), follower.waits()) else { return };
        if waits == waited {
            return;
        }
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, waits);
        let number = epoll::EventData::new_u64(who as u64);
        let epoll = if follower.watches { &self.watch } else { &self.epoll };
        if epoll::modify(epoll, socket, number, flags).is_err() {
            self.lose(who, Loss::Cut);
        }
    }

    fn welcome(&mut self, who: usize) {
        let now = Instant::now();
        (self.coming, self.live) = (self.coming - 1, self.live + 1);
        let (moment, clock) = (self.moment(now), self.clock(now));
        let follower = &mut self.all[who];
        follower.policy.handle_connected(clock);
        let Some(lost_at) = follower.lost_at.take() else { return };
        let away = now.saturating_duration_since(lost_at).as_nanos();
        let counted = &mut self.counted;
        counted.away.saturating_record(u64::try_from(away).unwrap_or(u64::MAX));
        counted.back.add(moment, 1);
        counted.tries += u64::from(follower.tries);
        counted.most_tries = counted.most_tries.max(follower.tries);
        counted.last_back = Some(now);
    }

    fn lose(&mut self, who: usize, loss: Loss) {
        let now = Instant::now();
        let clock = self.clock(now);
        let follower = &mut self.all[who];
        self.coming -= usize::from(follower.stage.coming());
        if follower.stage == Stage::Live {
            self.live -= 1;
            self.counted.gone += 1;
            self.counted.first_lost.get_or_insert(now);
        }
        // Its socket is closed, and so it is not waited for any more.
        if let Some(wait) = follower.lose(clock, now, loss) {
            self.due.push(Reverse((now + wait, who as u32)));
        }
    }

    /// The clock of the followers' waits, which nobody turns back.
    fn clock(&self, now: Instant) -> martlet_core::time::Instant {
        let since = now.saturating_duration_since(self.began);
        martlet_core::time::Instant(since.as_micros() as u64)
    }
}
