//! The sweep: visits marked readers a few dozen at a time and writes to them straight from here.
//! Between chunks the thread takes in what has arrived, so a publication that comes during a
//! sweep joins the bytes of those not visited yet.

use std::io;
use std::time::Duration;

use martlet_core::hub::Visit;
use martlet_core::model::{Close, Code};
use martlet_transport::outlet::Outlet;

use super::sessions::Carried;
use super::*;

/// How many readers are visited before others get a turn.
const CHUNK: usize = 32;

/// How long a closed connection may take to go by itself.
const LINGER: Duration = Duration::from_secs(2);

/// What is to be done after a reader was visited.
enum After {
    Nothing,
    WaitForRoom(ReaderKey, Outlet),
    Finish(Outlet),
    Lost(SessionIndex),
}

impl Worker {
    /// Writes to marked readers for as long as the worker lives.
    pub async fn sweep(self: Rc<Self>) {
        loop {
            while self.sweep_chunk() {
                tokio::task::yield_now().await;
            }
            self.marked.notified().await;
        }
    }

    /// Visits a chunk of readers. Says whether there are more.
    fn sweep_chunk(self: &Rc<Self>) -> bool {
        let now = self.now();
        let mut afters = Vec::new();
        let mut state = self.state.borrow_mut();
        for _ in 0..CHUNK {
            let Some(reader) = state.lane.poll_marked() else { break };
            let after = visit(&mut state, now, reader);
            if !matches!(after, After::Nothing) {
                afters.push(after);
            }
            if state.lane.any_output() {
                self.settle(&mut state);
            }
        }
        drop(state);
        afters.into_iter().for_each(|after| self.after_visit(after));
        self.turn(|state| state.lane.any_marked())
    }

    fn after_visit(self: &Rc<Self>, after: After) {
        match after {
            After::Nothing => {}
            After::WaitForRoom(reader, outlet) => {
                tokio::task::spawn_local(Rc::clone(self).wait_for_room(reader, outlet));
            }
            After::Finish(outlet) => {
                outlet.shutdown();
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(LINGER).await;
                    outlet.abort();
                });
            }
            After::Lost(index) => self.detached(index),
        }
    }

    /// Waits until a connection takes bytes again; one that takes none for too long is cut.
    async fn wait_for_room(self: Rc<Self>, reader: ReaderKey, outlet: Outlet) {
        let timeout = self.common.rules.limits.write_timeout;
        self.full.set(self.full.get() + 1);
        let writable = tokio::time::timeout(timeout, outlet.writable()).await;
        self.full.set(self.full.get() - 1);
        let index = self.state.borrow().sessions.by_reader(reader);
        let Some(index) = index.filter(|_| self.carries(reader, &outlet)) else { return };
        match writable {
            Ok(Ok(())) => self.turn(|state| state.lane.unblock(reader)),
            Ok(Err(_)) => self.detached(index),
            Err(_) => {
                self.turn(|state| state.counters.slow += 1);
                outlet.abort();
                self.detached(index);
            }
        }
    }

    /// Whether every reader has been written everything there is.
    pub(super) fn all_written(&self, state: &State) -> bool {
        let written = self.full.get() == 0 && !state.lane.any_marked() && !state.tickets.any_load();
        // Only a stop waits for it, and nobody else has to look at every reader.
        written && (self.leaving.borrow().is_none() || state.polls_answered())
    }

    /// Whether the reader is still the one that this outlet was for.
    fn carries(&self, reader: ReaderKey, outlet: &Outlet) -> bool {
        let state = self.state.borrow();
        state.sessions.carried(reader).is_some_and(|carried| carried.outlet.is(outlet))
    }
}

/// Visits one reader.
fn visit(state: &mut State, now: Now, reader: ReaderKey) -> After {
    let State { sessions, lane, encoders, counters, .. } = state;
    let Some(Carried { outlet, watched, .. }) = sessions.carried(reader) else {
        return After::Nothing;
    };
    let mut written = 0;
    let visit = lane.visit(now.instant, reader, encoders, |slices| {
        counters.writes += 1;
        let taken = match outlet.try_write(slices) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        };
        written = *taken.as_ref().unwrap_or(&0);
        counters.bytes_out += written as u64;
        taken
    });
    match visit {
        Ok(Visit::Written | Visit::Nothing) if !watched => After::Nothing,
        visit => after_write(state, now, reader, visit, written),
    }
}

/// What comes of a write to a reader that has to be looked at.
fn after_write(
    state: &mut State,
    now: Now,
    reader: ReaderKey,
    visit: io::Result<Visit>,
    written: usize,
) -> After {
    let State { sessions, lane, .. } = state;
    let Some(Carried { index, outlet, .. }) = sessions.carried(reader) else {
        return After::Nothing;
    };
    let (index, outlet) = (*index, outlet.clone());
    let Some(entry) = sessions.get(index) else { return After::Nothing };
    let Some(attachment) = entry.attachment.as_mut() else { return After::Nothing };
    if let Outlet::Batch(batch) = &outlet {
        polls::gathered(lane, now, reader, attachment, batch.take());
        let over = entry.closing && !lane.owes(reader);
        return if over { After::Lost(index) } else { After::Nothing };
    }
    let full = spend(&mut attachment.left, written);
    let after = match visit {
        Ok(Visit::Blocked) => After::WaitForRoom(reader, outlet),
        Ok(_) if entry.closing && !lane.owes(reader) => {
            entry.closing = false;
            After::Finish(outlet)
        }
        Ok(_) => After::Nothing,
        Err(_) => After::Lost(index),
    };
    if full {
        let after = Some(Duration::ZERO);
        entry.session.close(Close { after, ..Code::StreamFull.into() });
        sessions.touch(index);
    }
    after
}

/// Counts what was written against what a stream may be. Says once that it is used up.
fn spend(left: &mut Option<usize>, written: usize) -> bool {
    *left = left.map(|left| left.saturating_sub(written));
    left.take_if(|left| *left == 0).is_some()
}
