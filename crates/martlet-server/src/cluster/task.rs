//! The thread that talks to the other nodes: it says that this one lives, asks what the node's
//! other threads want asked, and answers what others ask.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use martlet_core::hub::LaneId;
use martlet_core::model::{Code, NodeId, SessionKey};
use martlet_core::session::{Reply, Request};
use martlet_core::time::Instant;
use martlet_engine::cluster::{Beat, Cluster, Heard, To, Unreachable};
use martlet_engine::{nats, redis};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::letter::{Answer, Letter, Question, What};
use super::questions::Questions;
use super::{About, Others, Wish};
use crate::clock::Clock;
use crate::config::EngineAddress;
use crate::mail::{Mail, Mailboxes};
use crate::revoked::Revoked;

/// How often a node says that it lives, and how long it is believed.
const BEAT: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);

/// How long to try to join.
const JOIN: Duration = Duration::from_secs(30);

/// How often it is looked for questions that were not answered in time.
const LOOK: Duration = Duration::from_millis(250);

/// How long members of a node that has stopped are kept, for clients to come back elsewhere.
const GRACE: Duration = Duration::from_secs(15);

/// What the secret is called that nodes agree on.
const SECRET_NAME: &str = "grant-secret";

/// This node as a member of the cluster.
pub enum Joined {
    /// By way of Redis.
    Redis(redis::Member),
    /// By way of NATS.
    Nats(Box<nats::Cluster>),
}

/// Joins the cluster, and agrees with the others on the secret by which grants are signed.
pub async fn join(
    engine: &EngineAddress,
    node: NodeId,
    secret: Bytes,
) -> Result<(Joined, Heard, Bytes), Unreachable> {
    let until = tokio::time::Instant::now() + JOIN;
    let mut said = false;
    loop {
        let error = match try_join(engine, node, secret.clone()).await {
            Ok(joined) => return Ok(joined),
            Err(error) => error,
        };
        if tokio::time::Instant::now() >= until {
            return Err(error);
        }
        if !std::mem::replace(&mut said, true) {
            tracing::warn!(%error, "trying for {} s to reach the engine", JOIN.as_secs());
        }
        tokio::time::sleep(BEAT).await;
    }
}

async fn try_join(
    engine: &EngineAddress,
    node: NodeId,
    secret: Bytes,
) -> Result<(Joined, Heard, Bytes), Unreachable> {
    let (joined, heard) = match engine {
        EngineAddress::Memory => return Err(Unreachable("memory is for one node alone".into())),
        EngineAddress::Redis(settings) => {
            let (member, heard) = redis::join((**settings).clone(), node).await?;
            (Joined::Redis(member), heard)
        }
        EngineAddress::Nats(settings) => {
            let (member, heard) = nats::join((**settings).clone(), node).await?;
            (Joined::Nats(Box::new(member)), heard)
        }
    };
    let agreed = joined.agree(SECRET_NAME, secret).await?;
    Ok((joined, heard, agreed))
}

impl Cluster for Joined {
    async fn beat(&self, lease: Duration, about: Bytes) -> Result<Beat, Unreachable> {
        match self {
            Self::Redis(member) => member.beat(lease, about).await,
            Self::Nats(member) => member.beat(lease, about).await,
        }
    }

    async fn agree(&self, name: &str, proposal: Bytes) -> Result<Bytes, Unreachable> {
        match self {
            Self::Redis(member) => member.agree(name, proposal).await,
            Self::Nats(member) => member.agree(name, proposal).await,
        }
    }

    fn say(&self, to: To, what: Bytes) {
        match self {
            Self::Redis(member) => member.say(to, what),
            Self::Nats(member) => member.say(to, what),
        }
    }

    async fn leave(&self, grace: Duration) -> Result<(), Unreachable> {
        match self {
            Self::Redis(member) => member.leave(grace).await,
            Self::Nats(member) => member.leave(grace).await,
        }
    }
}

/// Polls of other nodes' clients that wait here, by who asked and by which number.
type Polls = Rc<RefCell<HashMap<(NodeId, u64), AbortHandle>>>;

/// What the thread works with.
pub struct Work {
    /// The node's place in the cluster.
    pub joined: Rc<Joined>,
    /// What the node's other threads know.
    pub others: Others,
    /// The ways to the workers.
    pub mailboxes: Mailboxes,
    /// Whose grants were taken back.
    pub revoked: std::sync::Arc<Revoked>,
    /// What the node says of itself.
    pub about: About,
}

impl Work {
    /// Works until nobody wishes for anything any more.
    pub async fn run(self, mut heard: Heard, mut wished: mpsc::UnboundedReceiver<Wish>) {
        let work = Rc::new(self);
        let (dead, mut died) = mpsc::unbounded_channel();
        let beating = tokio::task::spawn_local(Rc::clone(&work).keep_beating(dead));
        let begun = tokio::time::Instant::now();
        let now = || Instant(begun.elapsed().as_micros() as u64);
        let (mut questions, polls) = (Questions::new(), Polls::default());
        loop {
            tokio::select! {
                wish = wished.recv() => match wish {
                    Some(wish) => work.grant(now(), &mut questions, wish),
                    None => break,
                },
                Some(bytes) = heard.recv() => work.hear(&mut questions, &polls, &bytes),
                Some(dead) = died.recv() => questions.handle_dead(&dead),
                () = tokio::time::sleep(LOOK) => {}
            }
            questions.handle_timeout(now());
            while let Some((answers, given)) = questions.poll_done() {
                // Whoever asked may have gone.
                let _: Result<(), _> = oneshot::Sender::send(answers, given);
            }
        }
        beating.abort();
    }

    fn grant(
        &self,
        now: Instant,
        questions: &mut Questions<oneshot::Sender<Vec<Answer>>>,
        wish: Wish,
    ) {
        match wish {
            Wish::Ask { number, whom, question, patience, answers } => {
                for node in &whom {
                    self.say(*node, number, What::Question(question.clone()));
                }
                questions.ask(number, whom, now.after(patience), answers);
            }
            Wish::Say(node, question) => self.say(node, 0, What::Question(question)),
            Wish::Forget(number) => questions.forget(number),
        }
    }

    fn say(&self, to: NodeId, number: u64, what: What) {
        let letter = Letter { from: self.others.node(), number, what };
        self.joined.say(To::Node(to), letter.write());
    }

    fn hear(
        self: &Rc<Self>,
        questions: &mut Questions<oneshot::Sender<Vec<Answer>>>,
        polls: &Polls,
        bytes: &Bytes,
    ) {
        let Some(letter) = Letter::read(bytes) else {
            tracing::warn!("another node said something that this version does not know");
            return;
        };
        match letter.what {
            What::Answer(answer) => questions.handle_answer(letter.from, letter.number, answer),
            What::Question(question) => self.take(polls, letter.from, letter.number, question),
        }
    }

    /// Does what another node asks. What concerns sessions goes to their workers in the order in
    /// which it was asked; only the answers are waited for.
    fn take(self: &Rc<Self>, polls: &Polls, from: NodeId, number: u64, question: Question) {
        match question {
            Question::Leave(key) => self.tell(key, Mail::Leave(key)),
            Question::Replace(key) => self.tell(key, Mail::Replace(key)),
            Question::Frame(key, frame) => {
                let (reply, taken) = oneshot::channel();
                self.tell(key, Mail::Frame(key, frame, reply));
                self.answer_later(from, number, async move {
                    match taken.await {
                        Ok(Ok(())) => Answer::Done,
                        Ok(Err(refusal)) => Answer::Refused(refusal),
                        Err(_) => Answer::Refused(Code::UnknownSession.into()),
                    }
                });
            }
            Question::Poll(key, next) => {
                let (ticket, answered) = oneshot::channel();
                self.tell(key, Mail::Poll(key, next, ticket));
                let waiting = Rc::clone(polls);
                let handle = self.answer_later(from, number, async move {
                    let answered = answered.await;
                    waiting.borrow_mut().remove(&(from, number));
                    answered.unwrap_or_else(|_| Err(Code::UnknownSession.into())).into()
                });
                polls.borrow_mut().insert((from, number), handle);
            }
            Question::PollGone(key, poll) => {
                if let Some(waiting) = polls.borrow_mut().remove(&(from, poll)) {
                    waiting.abort();
                }
                // It is told after what waited has gone.
                let work = Rc::clone(self);
                tokio::task::spawn_local(async move { work.tell(key, Mail::PollGone(key)) });
            }
            Question::Control(control) => {
                let mailboxes = self.mailboxes.clone();
                self.answer_later(from, number, async move {
                    let counts = mailboxes.ask_all(|r| Mail::Control(control.clone(), r)).await;
                    Answer::Sessions(counts.map_or(0, |counts| counts.into_iter().sum()))
                });
            }
            Question::Channels(prefix, limit) => {
                let mailboxes = self.mailboxes.clone();
                self.answer_later(from, number, async move {
                    Answer::Channels(channels(&mailboxes, &prefix, limit).await)
                });
            }
            // Only who has just begun asks.
            Question::Revoked => {
                self.others.meet(from);
                let taken = self.revoked.all();
                self.answer_later(from, number, async move { Answer::Revoked(taken) });
            }
        }
    }

    fn tell(&self, key: SessionKey, mail: Mail) {
        // A worker that is not there has no such session, and whoever waits hears that.
        let _ = self.mailboxes.send(LaneId(key.worker()), vec![mail]);
    }

    fn answer_later(
        self: &Rc<Self>,
        to: NodeId,
        number: u64,
        answer: impl Future<Output = Answer> + 'static,
    ) -> AbortHandle {
        let work = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            let answer = answer.await;
            work.say(to, number, What::Answer(answer));
        });
        task.abort_handle()
    }

    /// Says again and again that this node lives, and learns who else does.
    async fn keep_beating(
        self: Rc<Self>,
        dead: mpsc::UnboundedSender<std::collections::BTreeSet<NodeId>>,
    ) {
        let mut pace = tokio::time::interval(BEAT);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut greeted = false;
        loop {
            tokio::select! {
                _ = pace.tick() => {}
                () = self.others.drains() => {}
            }
            let Ok(stats) = self.mailboxes.ask_all(Mail::Stats).await else { return };
            let draining = self.others.draining();
            let about = About { draining, ..self.about.counted(&stats) };
            let about = serde_json::to_vec(&about);
            let about = about.expect("numbers and texts are JSON");
            let beat = self.joined.beat(LEASE, about.into()).await;
            self.others.health().mute(beat.is_err());
            match beat {
                Ok(Beat { alive, forgotten }) => {
                    // Without the loop that is told, the node is stopping.
                    let _ = dead.send(self.others.set_alive(alive));
                    if !std::mem::replace(&mut greeted, true) {
                        tokio::task::spawn_local(Rc::clone(&self).greet());
                    }
                    if forgotten {
                        tracing::warn!("the other nodes took this one for dead; it enters again");
                        self.enter_again();
                    }
                }
                Err(error) => tracing::warn!(%error, "this node cannot say that it lives"),
            }
        }
    }

    fn enter_again(&self) {
        self.mailboxes.send_all(|| Mail::Forgotten);
    }

    /// Learns from the others whose grants were taken back before this node was there. From now
    /// on they know it, and take nothing back without it.
    async fn greet(self: Rc<Self>) {
        for answer in self.others.ask_all(Question::Revoked).await {
            let Answer::Revoked(taken) = answer else { continue };
            taken.into_iter().for_each(|(whom, at)| self.revoked.revoke(whom, at));
        }
        self.others.health().unknown(false);
    }

    /// The node stops.
    pub async fn leave(joined: &Joined) {
        if let Err(error) = joined.leave(GRACE).await {
            tracing::warn!(%error, "the other nodes could not be told that this one stops");
        }
    }
}

/// The channels of this node that begin so.
pub async fn channels(
    mailboxes: &Mailboxes,
    prefix: &str,
    limit: usize,
) -> Vec<martlet_core::session::ChannelState> {
    let request = || Request::Channels { prefix: prefix.into(), limit };
    let replies = mailboxes.ask_all(|reply| Mail::Ask(request(), reply)).await;
    let parts = replies.unwrap_or_default().into_iter().map(|reply| match reply {
        Reply::Channels(part) => part,
        _ => Vec::new(),
    });
    parts.flatten().collect()
}

impl About {
    /// What a node says that listens there.
    pub fn of(listen: &[std::net::SocketAddr], workers: usize) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            started: Clock::wall().0,
            listen: listen.iter().map(ToString::to_string).collect(),
            workers,
            ..Self::default()
        }
    }
}
