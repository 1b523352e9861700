//! What the backend does to sessions, and the end of all of them.

use std::time::Duration;

use martlet_core::model::{Close, Code, Refusal};

use super::*;

/// The shortest and the longest wait that clients of a stopping node are advised, and how much of
/// it each thousand of them adds.
const RETURN_MIN_MS: u64 = 250;
pub(super) const RETURN_SPREAD_MS: u64 = 1_000;
const RETURN_SPREAD_PER_THOUSAND_MS: u64 = 1_000;

/// How long nobody takes a byte until a stopping node takes them to be stuck.
const STUCK: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) fn control(&self, state: &mut State, now: Now, control: Control) -> usize {
        match control {
            Control::Subscribe(whom, channel) => self.each(state, &whom, |session, native| {
                // A plain stream chose its channels by its address, and its cursor names them.
                if native {
                    session.follow_by_backend(now, channel.clone());
                }
                native
            }),
            Control::Unsubscribe(whom, channel) => self.each(state, &whom, |session, _| {
                let why = Refusal::from(Code::SubscriptionEnded);
                session.end_subscription(&channel, why)
            }),
            Control::Disconnect { whom, close, at } => {
                let for_good = !close.reconnect();
                if for_good && !matches!(whom, Whom::Session(_)) {
                    self.common.revoked.revoke(whom.clone(), at);
                }
                self.each(state, &whom, |session, _| {
                    if for_good {
                        let client = Whom::Client(session.client());
                        self.common.revoked.revoke(client, at);
                    }
                    session.close(close.clone());
                    true
                })
            }
        }
    }

    fn each(
        &self,
        state: &mut State,
        whom: &Whom,
        mut work: impl FnMut(&mut martlet_core::session::Session, bool) -> bool,
    ) -> usize {
        let mut count = 0;
        for index in state.sessions.of(whom) {
            let Some(entry) = state.sessions.touch(index) else { continue };
            let native = entry.attachment.as_ref().is_none_or(|a| a.kind.native());
            count += usize::from(work(&mut entry.session, native));
        }
        count
    }

    /// Ends every session, once the clients have been written what there is for them, though
    /// after `catch_up` at the latest; waits until the last has gone.
    pub async fn stop(self: Rc<Self>, catch_up: Duration) {
        self.stopping.set(true);
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

    /// Ends every session; each client is told when to come back, so that they do not come all
    /// at once.
    fn close_all(self: &Rc<Self>) {
        self.turn(|state| {
            let all = state.sessions.all();
            let spread =
                RETURN_SPREAD_MS + RETURN_SPREAD_PER_THOUSAND_MS * (all.len() as u64 / 1_000);
            for index in all {
                let Some(entry) = state.sessions.touch(index) else { continue };
                entry.session.close(shutdown(spread));
            }
        });
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

/// The end of a session because the node stops, with a return within `spread`.
pub(super) fn shutdown(spread: u64) -> Close {
    let after = RETURN_MIN_MS + random::bits() % spread;
    let after = Some(Duration::from_millis(after));
    Close { after, ..Code::Shutdown.into() }
}
