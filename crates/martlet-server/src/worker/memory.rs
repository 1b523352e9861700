//! What a worker does about memory: it tells what it holds, and when the node is short of it, it
//! gives up what the level says, in the order of the levels.
//!
//! It costs a turn a few loads while there is enough.

use std::sync::atomic::Ordering::Relaxed;

use martlet_core::crowd::Level;
use martlet_core::time::Instant;

use super::*;
use crate::memory::Held;

/// What a session takes, with its connection and what knows of it, nearly.
const SESSION_BYTES: usize = 1_024;

/// Between two rounds of giving up.
const ROUND: Duration = Duration::from_millis(250);

/// Who is owed less is let alone.
const MUCH_OWED: usize = 16 * 1024;

/// How long a client that is let go gets to take in what it is told.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What a worker has told of its memory, and done about it.
#[derive(Debug)]
pub(super) struct Thrift {
    told: Held,
    level: Level,
    next_round: Instant,
}

impl Default for Thrift {
    fn default() -> Self {
        Self { told: Held::default(), level: Level::Calm, next_round: Instant(0) }
    }
}

impl State {
    fn held(&self) -> Held {
        Held {
            histories: self.engine.held_bytes(),
            logs: self.lane.log_weight(),
            queues: self.lane.owed_weight(),
            sessions: self.sessions.len() * SESSION_BYTES,
        }
    }
}

impl Worker {
    /// To be called in every turn: tells of what has changed much, and gives up what has to be.
    pub(super) fn mind_memory(self: &Rc<Self>, state: &mut State) {
        let memory = &self.common.memory;
        let held = state.held();
        if held.differs(&state.thrift.told) > memory.step() {
            self.tell_memory(state, held);
        }
        let level = memory.level();
        if level != Level::Calm || state.thrift.level != Level::Calm {
            self.give_up(state, level);
        }
    }

    /// Tells exactly; to be called now and then, since what changes little is not told.
    pub(super) fn tell_memory(&self, state: &mut State, held: Held) {
        state.thrift.told = held;
        self.common.memory.tell(self.id, held);
    }

    pub(super) fn tell_memory_now(&self, state: &mut State) {
        self.tell_memory(state, state.held());
    }

    fn give_up(self: &Rc<Self>, state: &mut State, level: Level) {
        let now = self.common.clock.instant();
        let before = std::mem::replace(&mut state.thrift.level, level);
        if level < Level::Trimming {
            return state.lane.ease();
        }
        if level <= before && now < state.thrift.next_round {
            return;
        }
        state.thrift.next_round = now.after(ROUND);
        self.cut_logs(state);
        if level >= Level::Parting {
            self.part_with_most_owed(state);
        }
        if level >= Level::Forgetting {
            self.forget_histories(state);
        }
        self.tell_memory_now(state);
    }

    fn cut_logs(&self, state: &mut State) {
        let memory = &self.common.memory;
        let most = memory.for_logs();
        if state.lane.log_weight() > most {
            state.lane.cut_logs(most);
            memory.shed.logs.fetch_add(1, Relaxed);
        }
    }

    /// Lets go of clients that take nothing of what they are owed, those with most first.
    fn part_with_most_owed(self: &Rc<Self>, state: &mut State) {
        let memory = &self.common.memory;
        let share = memory.share(Level::Parting, state.lane.owed_weight(), |held| held.queues);
        let mut gone = 0;
        for (bytes, reader) in state.lane.most_owed(MUCH_OWED) {
            if gone >= share {
                return;
            }
            let index = state.sessions.by_reader(reader);
            let Some(index) = index else { continue };
            let Some(entry) = state.sessions.touch(index).filter(|entry| !entry.session.ended())
            else {
                continue;
            };
            entry.session.close(memory.let_go());
            state.lane.forget_owed(reader);
            gone += bytes;
            tokio::task::spawn_local(Rc::clone(self).cut_after_last_words(index));
        }
    }

    /// A client that does not take in that it is let go is cut: what was begun for it is memory.
    async fn cut_after_last_words(self: Rc<Self>, index: SessionIndex) {
        tokio::time::sleep(LAST_WORDS).await;
        let mut state = self.state.borrow_mut();
        let reader = state.sessions.get(index).and_then(|entry| entry.reader);
        let Some(reader) = reader.filter(|reader| state.lane.owes(*reader)) else { return };
        let outlet = state.sessions.carried(reader).map(|carried| carried.outlet.clone());
        drop(state);
        outlet.into_iter().for_each(|outlet| outlet.abort());
        self.detached(index);
    }

    fn forget_histories(&self, state: &mut State) {
        let memory = &self.common.memory;
        let own = state.engine.held_bytes();
        let share = memory.share(Level::Forgetting, own, |held| held.histories);
        let gone = state.engine.let_go(share);
        memory.shed.history_bytes.fetch_add(gone as u64, Relaxed);
    }
}
