//! The ways to sessions, wherever they are: on a worker of this node or on another node. A
//! session's key says where.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::time::Duration;

use bytes::Bytes;
use martlet_core::hub::LaneId;
use martlet_core::model::{ChannelName, Code, Position, Refusal, SessionKey};
use martlet_core::session::{ChannelState, Polled};
use tokio::sync::oneshot;

use super::task::channels;
use super::{Answer, Health, Others, Question};
use crate::mail::{Control, Mail, Mailboxes, Stopping};
use crate::worker::{Answered, NextPoll};

/// How much longer another node may take to answer a poll than the poll waits.
const SLACK: Duration = Duration::from_secs(3);

/// The ways to sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reach {
    mailboxes: Mailboxes,
    others: Others,
}

impl Reach {
    /// By these ways.
    pub fn new(mailboxes: Mailboxes, others: Others) -> Self {
        Self { mailboxes, others }
    }

    /// How well this node is connected with the others.
    pub fn health(&self) -> &Health {
        self.others.health()
    }

    /// The other nodes.
    pub fn others(&self) -> &Others {
        &self.others
    }

    fn here(&self, key: SessionKey) -> bool {
        key.node() == self.others.node()
    }

    /// Says something to the worker of a session of this node.
    fn tell(&self, key: SessionKey, mail: Mail) {
        // A worker that is gone has no sessions.
        let _ = self.mailboxes.send(LaneId(key.worker()), vec![mail]);
    }

    /// Brings a frame to its session.
    pub async fn frame(&self, key: SessionKey, frame: Bytes) -> Result<(), Refusal> {
        if self.here(key) {
            let (reply, answer) = oneshot::channel();
            let mail = Mail::Frame(key, frame, reply);
            let sent = self.mailboxes.send(LaneId(key.worker()), vec![mail]);
            sent.map_err(|_| Code::UnknownSession)?;
            return answer.await.map_err(|_| Code::Shutdown)?;
        }
        match self.ask(key, Question::Frame(key, frame)).await? {
            Answer::Done => Ok(()),
            other => Err(refusal(other)),
        }
    }

    async fn ask(&self, key: SessionKey, question: Question) -> Result<Answer, Refusal> {
        let answer = match self.others.any() {
            true => self.others.ask(key.node(), question).await,
            false => None,
        };
        answer.ok_or_else(|| self.no_answer(key))
    }

    /// What it means that nobody answers for a session. Of a node that lives the next answer may
    /// come; what it may have done it knows by the frame's numbers, if it is asked again.
    fn no_answer(&self, key: SessionKey) -> Refusal {
        match self.others.lives(key.node()) {
            true => Code::EngineUnavailable.into(),
            false => Code::UnknownSession.into(),
        }
    }

    /// The client of a session goes for good.
    pub fn leave(&self, key: SessionKey) {
        match self.here(key) {
            true => self.tell(key, Mail::Leave(key)),
            false => self.others.say(key.node(), Question::Leave(key)),
        }
    }

    /// A session was continued elsewhere.
    pub fn replace(&self, key: SessionKey) {
        match self.here(key) {
            true => self.tell(key, Mail::Replace(key)),
            false => self.others.say(key.node(), Question::Replace(key)),
        }
    }

    /// Polls a session. Whoever drops what waits for the answer takes the poll back.
    pub fn poll(
        &self,
        key: SessionKey,
        next: NextPoll,
    ) -> impl Future<Output = Result<Answered, Refusal>> + use<> {
        let mut poll = match self.here(key) {
            true => self.poll_here(key, next),
            false => self.poll_there(key, next),
        };
        async move {
            let heard = match &mut poll.waits {
                Waits::Here(answered) => answered.await.ok(),
                Waits::There(answered) => {
                    answered.await.ok().and_then(|mut answers| answers.pop()).map(answered_by)
                }
            };
            poll.heard();
            heard.unwrap_or_else(|| Err(poll.reach.no_answer(poll.key)))
        }
    }

    fn poll_here(&self, key: SessionKey, next: NextPoll) -> Poll {
        let (ticket, answered) = oneshot::channel();
        self.tell(key, Mail::Poll(key, next, ticket));
        Poll { reach: self.clone(), key, number: 0, waits: Waits::Here(answered), heard: false }
    }

    fn poll_there(&self, key: SessionKey, next: NextPoll) -> Poll {
        let question = Question::Poll(key, next);
        let patience = next.wait + SLACK;
        let whom = BTreeSet::from([key.node()]);
        let (number, answered) = self.others.ask_of(whom, question, patience);
        Poll { reach: self.clone(), key, number, waits: Waits::There(answered), heard: false }
    }

    /// The first channels by name that begin so and are followed or have members, on any node, with
    /// the counts of all nodes added up.
    pub async fn channels(&self, prefix: &str, limit: usize) -> Vec<ChannelState> {
        let question = Question::Channels(prefix.into(), limit);
        let (here, there) =
            tokio::join!(channels(&self.mailboxes, prefix, limit), self.others.ask_all(question),);
        let there = there.into_iter().flat_map(|answer| match answer {
            Answer::Channels(channels) => channels,
            _ => Vec::new(),
        });
        let mut all: BTreeMap<ChannelName, ChannelState> = BTreeMap::new();
        for state in here.into_iter().chain(there) {
            match all.entry(state.channel.clone()) {
                Entry::Vacant(entry) => _ = entry.insert(state),
                Entry::Occupied(mut entry) => add_up(entry.get_mut(), &state),
            }
        }
        all.into_values().take(limit).collect()
    }

    /// Does something with sessions on all nodes; gives with how many.
    pub async fn control(&self, control: Control) -> Result<usize, Stopping> {
        let mail = |reply| Mail::Control(control.clone(), reply);
        let (here, there) = tokio::join!(
            self.mailboxes.ask_all(mail),
            self.others.ask_all(Question::Control(control.clone())),
        );
        let there = there.into_iter().map(|answer| match answer {
            Answer::Sessions(count) => count,
            _ => 0,
        });
        Ok(here?.into_iter().chain(there).sum())
    }
}

/// A poll whose answer is waited for.
struct Poll {
    reach: Reach,
    key: SessionKey,
    number: u64,
    waits: Waits,
    heard: bool,
}

enum Waits {
    Here(oneshot::Receiver<Result<Answered, Refusal>>),
    There(oneshot::Receiver<Vec<Answer>>),
}

impl Poll {
    /// The answer came.
    fn heard(&mut self) {
        self.heard = true;
    }
}

/// Tells the session that nobody waits for the answer any more.
impl Drop for Poll {
    fn drop(&mut self) {
        let Self { reach, key, number, .. } = self;
        match &mut self.waits {
            _ if self.heard => {}
            Waits::Here(answered) => {
                answered.close();
                reach.tell(*key, Mail::PollGone(*key));
            }
            Waits::There(_) => {
                reach.others.forget(*number);
                reach.others.say(key.node(), Question::PollGone(*key, *number));
            }
        }
    }
}

fn answered_by(answer: Answer) -> Result<Answered, Refusal> {
    match answer {
        Answer::Polled(polled) => Ok(Answered { polled, cursor: String::new() }),
        other => Err(refusal(other)),
    }
}

fn refusal(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => {
            tracing::error!(?other, "another node gave the wrong kind of answer");
            Code::Internal.into()
        }
    }
}

/// Adds what another node knows of the same channel. The head farthest on is the newest.
fn add_up(state: &mut ChannelState, other: &ChannelState) {
    state.subscribers += other.subscribers;
    state.members += other.members;
    let farther = |head: Position| state.head.is_none_or(|known| known.offset < head.offset);
    if let Some(head) = other.head.filter(|head| farther(*head)) {
        state.head = Some(head);
    }
}

/// What a poll's answer says of a session that is unknown.
pub fn known(answered: Answered) -> Result<Answered, Refusal> {
    match answered.polled {
        Polled::Unknown => Err(Code::UnknownSession.into()),
        _ => Ok(answered),
    }
}
