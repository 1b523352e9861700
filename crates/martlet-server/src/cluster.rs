//! The other nodes, for the threads of this one: who they are, and how something is asked of them.
//! One thread talks to them (in `task`); without other nodes there is none, and nobody to ask.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::NodeId;
use martlet_engine::cluster::{Alive, Unreachable};
use tokio::sync::{Notify, mpsc, oneshot};

mod about;
mod letter;
mod questions;
mod reach;
mod task;

pub use about::About;
pub use letter::{Answer, Question};
pub use reach::{Reach, known};

use task::{Work, join};

use crate::config::EngineAddress;
use crate::mail::Mailboxes;
use crate::node::{StartError, spawn};
use crate::random;
use crate::revoked::Revoked;

/// How long other nodes may take to answer what they can answer at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a node is waited for that is not known to live. It may have just begun; more likely it
/// is dead, and whoever asks has to be told so.
const UNKNOWN: Duration = Duration::from_millis(1_500);

/// What the cluster's thread is to do for others of this node.
#[derive(Debug)]
pub enum Wish {
    /// Ask, and give the answers there are when all have answered or no more will.
    Ask {
        /// The question's number.
        number: u64,
        /// Which nodes.
        whom: BTreeSet<NodeId>,
        /// What.
        question: Question,
        /// How long to wait for answers.
        patience: Duration,
        /// For the answers.
        answers: oneshot::Sender<Vec<Answer>>,
    },
    /// Say something that is not answered.
    Say(NodeId, Question),
    /// Nobody waits for the answer to this number any more.
    Forget(u64),
}

/// This node's place in the cluster: a thread of its own.
pub struct Membership {
    /// The secret by which all nodes sign grants.
    pub secret: Bytes,
    thread: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

/// Joins the cluster by a thread that then talks to the other nodes. Waits until it has joined.
pub fn begin(
    engine: &EngineAddress,
    node: NodeId,
    about: About,
    mailboxes: &Mailboxes,
    revoked: &Arc<Revoked>,
) -> Result<(Others, Membership), StartError> {
    let (others, wished) = Others::some(node);
    let (stop, stopped) = oneshot::channel();
    let (tell, told) = std::sync::mpsc::channel();
    let (engine, known, mailboxes) = (engine.clone(), others.clone(), mailboxes.clone());
    let revoked = Arc::clone(revoked);
    let thread = spawn("martlet-cluster".into(), move || async move {
        let proposal = Bytes::copy_from_slice(&random::bytes::<32>());
        let (joined, heard, secret) = match join(&engine, node, proposal).await {
            Ok(joined) => joined,
            // Whoever started this waits for it.
            Err(error) => return drop(tell.send(Err(error))),
        };
        let _ = tell.send(Ok(secret));
        let joined = Rc::new(joined);
        let work = Work { joined: Rc::clone(&joined), others: known, mailboxes, revoked, about };
        tokio::select! {
            () = work.run(heard, wished) => {}
            _ = stopped => Work::leave(&joined).await,
        }
    })?;
    let gone = || Unreachable("the cluster's thread has ended".into());
    let secret = told.recv().map_err(|_| gone())??;
    Ok((others, Membership { secret, thread, stop }))
}

impl Membership {
    /// Leaves the cluster, and ends the thread.
    pub async fn leave(self) {
        // A thread that is gone has nothing to leave.
        let _ = self.stop.send(());
        let joined = tokio::task::spawn_blocking(move || self.thread.join().is_err());
        if joined.await.unwrap_or(true) {
            tracing::error!("the cluster's thread had panicked");
        }
    }
}

/// How well this node is connected with the others.
#[derive(Debug, Default)]
pub struct Health {
    /// How many of its connections to the engine hear nothing.
    silent: AtomicUsize,
    /// Whether it could not say that it lives.
    mute: AtomicBool,
    /// Whether the others have yet to hear of it.
    unknown: AtomicBool,
}

impl Health {
    /// A connection to the engine hears nothing any more, or again.
    pub fn silent(&self, silent: bool) {
        if silent {
            self.silent.fetch_add(1, Ordering::Relaxed);
        } else {
            // Each says so only after it has said the contrary.
            self.silent.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether this node can say that it lives.
    pub fn mute(&self, mute: bool) {
        self.mute.store(mute, Ordering::Relaxed);
    }

    /// Whether the others have yet to hear of this node.
    pub fn unknown(&self, unknown: bool) {
        self.unknown.store(unknown, Ordering::Relaxed);
    }

    /// Whether publications go out and come in, and what is asked of all nodes is asked of this.
    pub fn good(&self) -> bool {
        let bad = [&self.mute, &self.unknown].iter().any(|bad| bad.load(Ordering::Relaxed));
        self.silent.load(Ordering::Relaxed) == 0 && !bad
    }
}

/// The other nodes. Cheap to clone; usable from any thread.
#[derive(Debug, Clone)]
pub struct Others {
    node: NodeId,
    wishes: Option<mpsc::UnboundedSender<Wish>>,
    numbers: Arc<AtomicU64>,
    alive: Arc<RwLock<Vec<Alive>>>,
    health: Arc<Health>,
    draining: Arc<Draining>,
}

/// Whether this node is being drained, and those who have to say so.
#[derive(Debug, Default)]
struct Draining {
    begun: AtomicBool,
    said: Notify,
}

impl Others {
    /// No others: this node is alone.
    pub fn none(node: NodeId) -> Self {
        Self::new(node, None)
    }

    /// Others, and what is wished of the thread that talks to them.
    pub fn some(node: NodeId) -> (Self, mpsc::UnboundedReceiver<Wish>) {
        let (wishes, wished) = mpsc::unbounded_channel();
        let others = Self::new(node, Some(wishes));
        others.health.unknown(true);
        (others, wished)
    }

    fn new(node: NodeId, wishes: Option<mpsc::UnboundedSender<Wish>>) -> Self {
        let about = Bytes::new();
        Self {
            node,
            wishes,
            numbers: Arc::default(),
            alive: Arc::new(RwLock::new(vec![Alive { node, about }])),
            health: Arc::default(),
            draining: Arc::default(),
        }
    }

    /// This node is being drained: the others are to hear of it at once.
    pub fn drain(&self) {
        self.draining.begun.store(true, Ordering::Relaxed);
        self.draining.said.notify_one();
    }

    /// Whether this node is being drained.
    pub fn draining(&self) -> bool {
        self.draining.begun.load(Ordering::Relaxed)
    }

    /// Waits until this node begins to be drained.
    async fn drains(&self) {
        self.draining.said.notified().await;
    }

    /// What the other nodes said of themselves that are known to live and are not being drained.
    pub fn serving(&self) -> Vec<About> {
        let alive = self.alive().into_iter().filter(|alive| alive.node != self.node);
        // A node of another version may say nothing that this one can read: it serves all the same.
        let said = alive.map(|alive| serde_json::from_slice(&alive.about).unwrap_or_default());
        said.filter(|about: &About| !about.draining).collect()
    }

    /// Which node this is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Whether there may be others.
    pub fn any(&self) -> bool {
        self.wishes.is_some()
    }

    /// How well this node is connected with them.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// All nodes that are known to live, this one too.
    pub fn alive(&self) -> Vec<Alive> {
        self.alive.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether another node is known to live.
    pub fn lives(&self, node: NodeId) -> bool {
        let alive = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        node != self.node && alive.iter().any(|alive| alive.node == node)
    }

    /// This one has just begun, and says so itself: it lives at least until the next look.
    fn meet(&self, node: NodeId) {
        if !self.lives(node) && node != self.node {
            let mut alive = self.alive.write().unwrap_or_else(PoisonError::into_inner);
            alive.push(Alive { node, about: Bytes::new() });
        }
    }

    /// These live now. Gives those who did, and do no more.
    fn set_alive(&self, alive: Vec<Alive>) -> BTreeSet<NodeId> {
        let now: BTreeSet<_> = alive.iter().map(|alive| alive.node).collect();
        let mut before = self.alive.write().unwrap_or_else(PoisonError::into_inner);
        let gone = before.iter().map(|alive| alive.node).filter(|node| !now.contains(node));
        let gone = gone.collect();
        *before = alive;
        gone
    }

    /// Asks one node. `None` if it does not answer.
    pub async fn ask(&self, node: NodeId, question: Question) -> Option<Answer> {
        self.ask_of(BTreeSet::from([node]), question, PATIENCE).1.await.ok()?.pop()
    }

    /// Asks all others; gives the answers of those who answer in time.
    pub async fn ask_all(&self, question: Question) -> Vec<Answer> {
        let others = self.alive().into_iter().map(|alive| alive.node);
        let others = others.filter(|node| *node != self.node).collect();
        self.ask_of(others, question, PATIENCE).1.await.unwrap_or_default()
    }

    /// Asks some nodes; gives the question's number, and what waits for the answers.
    pub fn ask_of(
        &self,
        whom: BTreeSet<NodeId>,
        question: Question,
        patience: Duration,
    ) -> (u64, oneshot::Receiver<Vec<Answer>>) {
        let (answers, answered) = oneshot::channel();
        let patience = match whom.iter().all(|node| self.lives(*node)) {
            true => patience,
            false => patience.min(UNKNOWN),
        };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.wish(Wish::Ask { number, whom, question, patience, answers });
        (number, answered)
    }

    /// Says something that is not answered.
    pub fn say(&self, node: NodeId, question: Question) {
        self.wish(Wish::Say(node, question));
    }

    /// Nobody waits for the answer to this question any more.
    pub fn forget(&self, number: u64) {
        self.wish(Wish::Forget(number));
    }

    fn wish(&self, wish: Wish) {
        if let Some(wishes) = &self.wishes {
            // Without its thread the node is stopping, and whoever waits hears that.
            let _ = wishes.send(wish);
        }
    }
}
