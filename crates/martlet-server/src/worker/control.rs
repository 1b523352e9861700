//! What the backend does to sessions.

use martlet_core::model::{Code, Refusal};

use super::*;

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
}
