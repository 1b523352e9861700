//! Letting clients in: who may come in now, who is told when to come back, and how long a
//! connection lasts. What is decided is decided by [`Admission`](martlet_core::crowd::Admission).

use martlet_core::crowd::Arrival;
use martlet_core::model::{Close, Code};
use martlet_core::session::Question;
use martlet_core::time::Instant;

use super::*;
use crate::wire::Form;

impl Worker {
    /// What somebody is told who comes now and cannot be taken in, if that is so. Nothing is known
    /// of it yet, and nothing has been done for it.
    pub(super) fn send_away(&self, state: &mut State, now: Now, looks_in: bool) -> Option<Close> {
        if let Some(leaving) = &*self.leaving.borrow() {
            return leaving.send_away(looks_in);
        }
        if self.common.memory.refuses_everybody() {
            let after = self.common.memory.turn_away();
            return Some(Close { after: Some(after), ..Code::Busy.into() });
        }
        let most = self.common.handshakes;
        let full = most > 0 && state.sessions.handshakes() > most;
        full.then(|| {
            state.counters.put_off += 1;
            let after = state.admission.put_off(now.instant, Arrival::Newcomer, random::bits());
            Close { after: Some(after), ..Code::Busy.into() }
        })
    }

    /// Whether somebody who has said who it is may come in. `Err` says in what time to come back.
    /// Those who prove by their grant that they were here go before others, and are let in when
    /// memory is too short for newcomers. Who only looks in is not held up: it asks like any
    /// request, and keeps nothing.
    pub(super) fn let_in(
        &self,
        state: &mut State,
        now: Now,
        index: SessionIndex,
        question: &Question,
    ) -> Result<(), Duration> {
        let arrival = match question {
            Question::Grant(_) => Arrival::Returning,
            Question::Token(_) | Question::Nobody => Arrival::Newcomer,
            Question::Channel { .. } => return Ok(()),
        };
        let Some(entry) = state.sessions.get(index) else { return Ok(()) };
        let looks_in = entry.attachment.as_ref().is_some_and(|a| a.kind.form == Form::Items);
        if entry.session.connected() || looks_in {
            return Ok(());
        }
        if arrival == Arrival::Newcomer && self.common.memory.refuses_newcomers() {
            return Err(self.common.memory.turn_away());
        }
        let random = random::bits();
        let let_in = state.admission.handle_arrival(now.instant, arrival, random);
        state.counters.put_off += u64::from(let_in.is_err());
        let_in
    }

    /// When a connection that begins now is too old: at some moment of the last fifth of the age
    /// that connections get.
    pub(super) fn aged_at(&self, now: Now) -> Instant {
        let age = self.common.age;
        if age.is_zero() {
            return Instant::NEVER;
        }
        now.instant.after(random::time(age.mul_f64(0.8), age.mul_f64(0.2)))
    }
}
