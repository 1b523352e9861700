//! Clients go because the node does: who still comes is sent elsewhere, the others are let go a
//! few at a time, and at the end all who are left.

use std::hash::BuildHasher as _;
use std::time::Duration;

use foldhash::quality::FixedState;
use martlet_core::crowd::Drain;
use martlet_core::model::{Close, Code};

use super::*;
use crate::drain::Stage;

/// The shortest and the longest wait that clients are advised whose node is not ready any more,
/// and those of a node that stops at once, beside what their number adds.
const RETURN_MIN: Duration = Duration::from_millis(250);
const RETURN_SPREAD: Duration = Duration::from_secs(1);

/// How many clients a second come back to each worker of a node that stops at once, if admission
/// has no limit that says so.
const RETURN_PER_SECOND: u32 = 5_000;

/// How long nobody takes a byte until a stopping node takes them to be stuck.
const STUCK: Duration = Duration::from_secs(1);

/// How far a worker's leaving is.
#[derive(Debug, Clone)]
pub(super) struct Leaving {
    stage: Stage,
    /// The addresses of the nodes that clients may go to, where each has one of its own. Without
    /// any, clients come back by the address they know.
    nodes: Arc<[Box<str>]>,
}

impl Leaving {
    /// What somebody who comes now is told, if anything. One who only looks in is no burden, and
    /// is not sent away before the others are.
    pub fn send_away(&self, looks_in: bool) -> Option<Close> {
        let stays = looks_in && self.stage == Stage::Waiting;
        (!stays).then(|| self.go(RETURN_MIN, RETURN_SPREAD))
    }

    /// The end of a session because the node stops, with a return somewhere in the `spread` after
    /// `least`.
    fn go(&self, least: Duration, spread: Duration) -> Close {
        let after = Some(random::time(least, spread));
        Close { after, node: self.any_node(), ..Code::Shutdown.into() }
    }

    fn any_node(&self) -> Option<Box<str>> {
        let nth = random::bits() as usize % self.nodes.len().max(1);
        self.nodes.get(nth).cloned()
    }
}

impl Worker {
    /// The node is not ready any more: whoever comes is sent away, to one of these nodes if there
    /// are any.
    pub fn depart(&self, nodes: Arc<[Box<str>]>) {
        self.leaving.replace(Some(Leaving { stage: Stage::Waiting, nodes }));
    }

    fn begin(&self, stage: Stage) {
        let nodes = self.leaving.take().map(|leaving| leaving.nodes).unwrap_or_default();
        self.leaving.replace(Some(Leaving { stage, nodes }));
    }

    /// Lets clients go, evenly `over` a time, in an order that nobody chose. Each is told to come
    /// back within one round, so that nobody sees the rounds.
    pub async fn let_go(self: Rc<Self>, over: Duration) {
        self.begin(Stage::LettingGo);
        let mut going = self.state.borrow().sessions.all();
        shuffle(&mut going, random::bits());
        let drain = Drain::new(self.now().instant, over, self.attached());
        while self.attached() > 0 && self.now().instant < drain.ends() {
            let count = drain.handle_round(self.now().instant, self.attached());
            self.let_some_go(&mut going, count);
            tokio::time::sleep(Drain::ROUND).await;
        }
        self.let_some_go(&mut going, usize::MAX);
    }

    fn attached(&self) -> usize {
        self.state.borrow().sessions.attached()
    }

    fn let_some_go(self: &Rc<Self>, going: &mut Vec<SessionIndex>, count: usize) {
        let Some(leaving) = self.leaving.borrow().clone() else { return };
        let mut left = count;
        self.turn(|state| {
            while left > 0 {
                let Some(index) = going.pop() else { return };
                let Some(entry) = state.sessions.get(index) else { continue };
                if entry.attachment.is_none() || entry.session.ended() {
                    continue;
                }
                let close = leaving.go(Duration::from_millis(1), Drain::ROUND);
                state
                    .sessions
                    .touch(index)
                    .into_iter()
                    .for_each(|e| e.session.close(close.clone()));
                state.counters.let_go += 1;
                left -= 1;
            }
        });
    }

    /// Ends every session, once the clients have been written what there is for them, though
    /// after `catch_up` at the latest; waits until the last has gone.
    pub async fn stop(self: Rc<Self>, catch_up: Duration) {
        self.begin(Stage::Ending);
        // Whoever takes too long is waited for no more: its cursor says where it was.
        let _ = tokio::time::timeout(catch_up, self.caught_up_or_stuck()).await;
        self.close_all();
        self.emptied().await;
    }

    /// Waits until every reader has been written everything there is, or none takes any more.
    async fn caught_up_or_stuck(&self) {
        let written = || self.state.borrow().counters.bytes_out;
        let mut before = written();
        while tokio::time::timeout(STUCK, self.caught_up()).await.is_err() {
            let now = written();
            if std::mem::replace(&mut before, now) == now {
                return;
            }
        }
    }

    /// Waits until every reader has been written everything there is.
    async fn caught_up(&self) {
        loop {
            let caught_up = self.caught_up.notified();
            if self.all_written(&self.state.borrow()) {
                return;
            }
            caught_up.await;
        }
    }

    /// Ends every session; each client is told another time to come back, so that they come no
    /// faster than a node lets them in.
    fn close_all(self: &Rc<Self>) {
        let Some(leaving) = self.leaving.borrow().clone() else { return };
        self.turn(|state| {
            let all = state.sessions.all();
            let spread = RETURN_SPREAD + self.time_to_let_in(all.len());
            for index in all {
                let Some(entry) = state.sessions.touch(index) else { continue };
                state.counters.let_go += u64::from(entry.attachment.is_some());
                entry.session.close(leaving.go(RETURN_MIN, spread));
            }
        });
    }

    /// How long it takes until so many have been let in again.
    fn time_to_let_in(&self, clients: usize) -> Duration {
        let rate = match self.common.admission.per_second {
            0 => RETURN_PER_SECOND,
            rate => rate,
        };
        Duration::from_secs_f64(clients as f64 * 1.1 / f64::from(rate))
    }

    /// Waits until the last session has gone.
    async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.state.borrow().sessions.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// Brings them into an order that nobody chose (Fisher and Yates). To ask the system for bits each
/// time would hold the worker up.
fn shuffle<T>(them: &mut [T], seed: u64) {
    let dice = FixedState::with_seed(seed);
    for last in (1..them.len()).rev() {
        them.swap(last, dice.hash_one(last) as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests;
