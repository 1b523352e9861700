//! The worker's deadlines: heartbeats, expiries, members whose grace has passed, the store's
//! forgetting.

use std::time::Duration;

use super::*;

/// How often the lane is reminded of pages that could not be read.
const RETRY: Duration = Duration::from_secs(1);

impl Worker {
    /// Meets deadlines for as long as the worker lives.
    pub async fn keep_time(self: Rc<Self>) {
        loop {
            let next = self.next_deadline();
            let nearer = self.nearer.notified();
            tokio::select! {
                () = tokio::time::sleep_until(self.common.clock.deadline(next)) => self.meet_deadlines(),
                () = nearer => {}
            }
        }
    }

    fn next_deadline(&self) -> martlet_core::time::Instant {
        let state = self.state.borrow();
        let known = [
            state.sessions.poll_timeout(),
            state.shard.poll_timeout(),
            state.engine.poll_timeout(),
        ];
        let latest = self.common.clock.instant().after(RETRY);
        known.into_iter().flatten().min().unwrap_or(latest).min(latest)
    }

    fn meet_deadlines(self: &Rc<Self>) {
        let now = self.now();
        self.turn(|state| {
            for index in state.sessions.take_due(now.instant) {
                let Some(entry) = state.sessions.touch(index) else { continue };
                let sent_at = entry.reader.map_or(now.instant, |r| state.lane.sent_at(r));
                entry.session.handle_timeout(now, sent_at);
                if polls::handle_timeout(&mut state.lane, now, entry) {
                    self.detach(state, now, index);
                }
            }
            state.shard.handle_timeout(now);
            state.engine.handle_timeout(now);
            state.lane.retry();
            self.tell_memory_now(state);
        });
    }
}
