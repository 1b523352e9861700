//! Polls: sessions that are written to in batches, each the answer to a request. What is decided
//! is decided by [`Polls`]; here it is brought together with the reader.
//!
//! A reader takes bytes only while a poll waits for them. Else it is blocked, like one whose
//! socket is full, and has a place farther and farther back.

use bytes::Bytes;
use martlet_core::model::{Code, Refusal, SessionKey};
use martlet_core::session::{Polled, Polls, Session};
use tokio::sync::oneshot;

use super::sessions::{Attachment, Entry};
use super::*;

/// How a poll is answered.
#[derive(Debug)]
pub struct Answered {
    /// With what.
    pub polled: Polled,
    /// Where a plain reader stands after it.
    pub cursor: String,
}

/// Who is to be answered.
pub type Ticket = oneshot::Sender<Result<Answered, Refusal>>;

/// A poll of a session that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextPoll {
    /// The last batch that the client has.
    pub have: u32,
    /// How long it waits if there is nothing.
    pub wait: Duration,
}

/// How long a client that polls too often is to wait.
const TOO_OFTEN: Duration = Duration::from_secs(1);

/// How long an ended session waits for a poll to tell it so.
const LAST_POLL: Duration = Duration::from_secs(2);

impl State {
    /// Whether every client that polls has been given everything there is.
    pub(super) fn polls_answered(&self) -> bool {
        let mut polled =
            self.sessions.readers().filter(|(_, attachment)| attachment.polls.is_some());
        polled.all(|(reader, _)| !self.lane.has_more(reader))
    }
}

impl Worker {
    /// How long a client may take to poll again.
    pub fn poll_patience(&self) -> Duration {
        self.common.rules.ping + self.common.rules.pong
    }

    /// A poll came for a session.
    pub(super) fn take_poll(
        &self,
        state: &mut State,
        now: Now,
        key: SessionKey,
        next: NextPoll,
        ticket: Ticket,
    ) {
        let found = state.sessions.by_key(key).and_then(|index| state.sessions.touch(index));
        let Some((session, polls)) = found.and_then(polled_entry) else {
            return refuse(ticket, Code::UnknownSession.into());
        };
        session.handle_heard();
        if !session.handle_sign(now) {
            return refuse(ticket, Refusal::until(Code::RateLimited, TOO_OFTEN));
        }
        polls.handle_poll(now.instant, next.have, ticket, next.wait);
        self.deliver_polls(state, key);
    }

    /// Whoever asked by a poll that waits is gone.
    pub(super) fn poll_gone(&self, state: &mut State, now: Now, key: SessionKey) {
        let found = state.sessions.by_key(key).and_then(|index| state.sessions.touch(index));
        if let Some((_, polls)) = found.and_then(polled_entry) {
            polls.handle_gone(now.instant, Ticket::is_closed);
        }
        self.deliver_polls(state, key);
    }

    /// The session has ended between two polls. The next one is told why, if it comes soon.
    pub(super) fn wait_for_last_poll(self: &Rc<Self>, index: SessionIndex) {
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(LAST_POLL).await;
            worker.detached(index);
        });
    }

    fn deliver_polls(&self, state: &mut State, key: SessionKey) {
        let State { sessions, lane, .. } = state;
        let entry = sessions.by_key(key).and_then(|index| sessions.get(index));
        let carried = entry.and_then(|entry| Some((entry.reader?, entry.attachment.as_mut()?)));
        carried.into_iter().for_each(|(reader, attachment)| deliver(lane, reader, attachment));
    }
}

/// The parts of an entry that is carried by polls.
fn polled_entry(entry: &mut Entry) -> Option<(&mut Session, &mut Polls<Ticket>)> {
    let polls = entry.attachment.as_mut()?.polls.as_mut()?;
    Some((&mut entry.session, polls))
}

fn refuse(ticket: Ticket, refusal: Refusal) {
    // Whoever asked may have gone, and then has nothing to be told.
    let _ = ticket.send(Err(refusal));
}

/// Gives out the answers there are, and lets the reader be written to while a poll waits.
pub(super) fn deliver(lane: &mut Lane, reader: ReaderKey, attachment: &mut Attachment) {
    let plain = !attachment.kind.native();
    let opened = attachment.opening.is_none();
    let Some(polls) = attachment.polls.as_mut() else { return };
    while let Some((ticket, polled)) = polls.poll_output() {
        let cursor = if plain { lane.cursor(reader).to_string() } else { String::new() };
        let _ = ticket.send(Ok(Answered { polled, cursor }));
    }
    match polls.waiting() {
        true if opened => lane.unblock(reader),
        true => {}
        false => lane.block(reader),
    }
}

/// A reader was visited, and gave these bytes.
pub(super) fn gathered(
    lane: &mut Lane,
    now: Now,
    reader: ReaderKey,
    attachment: &mut Attachment,
    bytes: Bytes,
) {
    let Some(polls) = attachment.polls.as_mut() else { return };
    if !bytes.is_empty() {
        polls.handle_written(now.instant, bytes);
    } else if !lane.has_more(reader) {
        polls.handle_dry(now.instant);
    }
    if !polls.waiting() {
        deliver(lane, reader, attachment);
    }
}

/// Time has passed. Says whether the client is gone.
pub(super) fn handle_timeout(lane: &mut Lane, now: Now, entry: &mut Entry) -> bool {
    let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_mut()) else {
        return false;
    };
    let Some(polls) = attachment.polls.as_mut() else { return false };
    let waited = polls.waiting();
    polls.handle_timeout(now.instant);
    let silent = polls.silent(now.instant);
    if waited && !polls.waiting() {
        deliver(lane, reader, attachment);
    }
    silent
}

/// The client goes for good. Says whether it is one that polls.
pub(super) fn end(lane: &mut Lane, now: Now, entry: &mut Entry) -> bool {
    let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_mut()) else {
        return false;
    };
    let Some(polls) = attachment.polls.as_mut() else { return false };
    polls.handle_leave(now.instant);
    deliver(lane, reader, attachment);
    true
}
