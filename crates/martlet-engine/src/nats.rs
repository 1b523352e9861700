//! An engine on NATS with JetStream. The worker has the near half ([`crate::remote`]); this is
//! the far one, a task on the worker's own thread with a connection of its own.
//!
//! *Where things are.* Channels that keep the same (size and age) have one stream, a *class*, and
//! in it each channel has a subject. JetStream publishes again what a stream took, under one
//! subject for each channel whatever its class is; that is what followers subscribe to, so that
//! they hear what was accepted and nothing else.
//!
//! *Who numbers.* A message says its offset and epoch, and is only taken if the last message of
//! its subject is the one its writer knows of; otherwise the writer looks and tries again. What
//! waits for a channel goes together as one message ([`packed`]), so that a busy channel is not
//! bound to one publication for each round trip; a draft with a key goes alone, since the server
//! recognises repeats by message.
//!
//! *What may be lost.* An epoch is made of the stream's *life* and the channel's name, and the
//! life is part of the subjects written to ([`streams`]): in a stream that was made anew, or that
//! lost messages it had acknowledged, nobody can go on unaware. Each worker remembers the newest
//! message that it knows was taken, and looks for it whenever it connects. A loss that no living
//! worker has witnessed is not noticed by the store; only `Ahead` tells of it to a reader.
//!
//! *Copies.* On a stream with copies JetStream may take two messages that were both written after
//! the same one (nats-server issue 4320, and at changes of the leader). There every message is
//! looked at once more: it counts only if the one in front of it is the one it says. Whoever wrote
//! one that does not count writes it again.
//!
//! *How long.* What is too old to be read stays on the server for [`Settings::remembered`], and
//! its last message is written again if somebody reads the channel late in that time: an idle
//! channel keeps its numbers.
//!
//! *Time* is the server's, learnt by the pulse ([`pulse`]) and carried on by a monotonic clock.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use hashbrown::HashMap;
use martlet_core::model::{ChannelName, NodeId};
use martlet_core::port::{News, StoreError, StoreReply, StoreRequest, StoreTicket};
use martlet_core::stream::Keep;
use martlet_core::time::Instant;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::interest::Interest;
use crate::remote::{FarEnd, Inbox, Order};

mod appending;
mod cluster;
mod following;
mod heads;
mod link;
mod members;
mod names;
mod packed;
mod pulse;
mod reading;
mod search;
mod settings;
mod streams;

pub use cluster::{Cluster, join};
pub use settings::{Settings, SettingsError, Storage};

use appending::Waiting;
use heads::Heads;
use link::{Link, Trouble};
use streams::{Class, Found};

/// How many questions may be on their way or wait.
const QUESTIONS_MAX: usize = 65_536;

/// How long a question may take in all.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many bytes of drafts may be on their way or wait.
const BYTES_MAX: usize = 64 * 1024 * 1024;

type Channels<T> = HashMap<ChannelName, T, foldhash::fast::RandomState>;

/// The far half of a worker's engine.
struct Far {
    link: Link,
    settings: Settings,
    node: NodeId,
    inbox: Rc<Inbox>,
    classes: RefCell<BTreeMap<String, Rc<Class>>>,
    heads: RefCell<Heads>,
    waiting: RefCell<Channels<VecDeque<Waiting>>>,
    interest: RefCell<Interest>,
    subscribed: RefCell<Channels<tokio::task::AbortHandle>>,
    /// The last message that was heard of each channel that is followed.
    rows: RefCell<Channels<(names::Life, u64)>>,
    questions: Cell<usize>,
    bytes: Cell<usize>,
    silent: Cell<bool>,
    begun: tokio::time::Instant,
}

/// Works for a worker of `node`, until its near half is gone. It runs on the worker's own thread,
/// where local tasks can be spawned.
pub async fn run(settings: Settings, node: NodeId, far: FarEnd) {
    let FarEnd { mut orders, inbox } = far;
    if let Err(error) = settings.check() {
        tracing::error!(%error, "the NATS engine cannot begin");
        return refuse_all(&mut orders, &inbox).await;
    }
    let connecting = Link::connect(&settings, format!("martlet {node}")).await;
    let (link, events) = match connecting {
        Ok(connected) => connected,
        Err(trouble) => {
            tracing::error!(%trouble, "the NATS engine cannot begin");
            return refuse_all(&mut orders, &inbox).await;
        }
    };
    let far = Rc::new(Far::new(link, settings, node, inbox));
    let tasks = [
        spawn_local(Rc::clone(&far).watch(events)),
        spawn_local(Rc::clone(&far).keep_pulse()),
        spawn_local(Rc::clone(&far).let_go()),
    ];
    while let Some(turn) = orders.recv().await {
        far.take(turn);
    }
    tasks.iter().for_each(|task| task.abort());
    far.subscribed.borrow_mut().drain().for_each(|(_, task)| task.abort());
}

async fn refuse_all(orders: &mut tokio::sync::mpsc::UnboundedReceiver<Vec<Order>>, inbox: &Inbox) {
    while let Some(turn) = orders.recv().await {
        for order in turn {
            if let Order::Ask(ticket, _) = order {
                inbox.reply(ticket, StoreReply::Failed(StoreError::Unavailable));
            }
        }
    }
}

impl Far {
    fn new(link: Link, settings: Settings, node: NodeId, inbox: Rc<Inbox>) -> Self {
        Self {
            link,
            settings,
            node,
            inbox,
            classes: RefCell::default(),
            heads: RefCell::default(),
            waiting: RefCell::default(),
            interest: RefCell::default(),
            subscribed: RefCell::default(),
            rows: RefCell::default(),
            questions: Cell::new(0),
            bytes: Cell::new(0),
            silent: Cell::new(false),
            begun: tokio::time::Instant::now(),
        }
    }

    fn now(&self) -> Instant {
        Instant(self.begun.elapsed().as_micros() as u64)
    }

    /// Takes the orders of a turn.
    fn take(self: &Rc<Self>, turn: Vec<Order>) {
        for order in turn {
            match order {
                Order::Ask(ticket, request) => self.ask(ticket, request),
                Order::Follow(channel) => self.interest.borrow_mut().follow(&channel),
                Order::Unfollow(channel) => {
                    self.interest.borrow_mut().unfollow(self.now(), &channel);
                }
            }
        }
        self.subscribe();
    }

    /// Begins a question, or keeps it back until its channel is heard, or refuses it if there
    /// are too many.
    fn ask(self: &Rc<Self>, ticket: StoreTicket, request: StoreRequest) {
        let weight = weight(&request);
        if self.questions.get() >= QUESTIONS_MAX || self.bytes.get() + weight > BYTES_MAX {
            return self.inbox.reply(ticket, StoreReply::Failed(StoreError::Unavailable));
        }
        self.questions.set(self.questions.get() + 1);
        self.bytes.set(self.bytes.get() + weight);
        let asked = match request {
            StoreRequest::Read(_) => self.interest.borrow_mut().park(ticket, request),
            request => Some((ticket, request)),
        };
        asked.into_iter().for_each(|(ticket, request)| self.begin(ticket, request));
    }

    fn begin(self: &Rc<Self>, ticket: StoreTicket, request: StoreRequest) {
        if let StoreRequest::Append { draft, keep } = request {
            return self.append_later(Waiting { ticket, draft, keep });
        }
        let far = Rc::clone(self);
        spawn_local(async move {
            let answer = timeout(PATIENCE, far.answer(request)).await;
            let reply = answer.unwrap_or(Err(Trouble::Unanswered)).unwrap_or_else(|trouble| {
                tracing::debug!(%trouble, "a question to the NATS server failed");
                StoreReply::Failed(StoreError::Unavailable)
            });
            far.reply(ticket, 0, reply);
        });
    }

    async fn answer(self: &Rc<Self>, request: StoreRequest) -> Result<StoreReply, Trouble> {
        match request {
            StoreRequest::Read(read) => self.read(read).await.map(StoreReply::Page),
            StoreRequest::Enter { channel, member } => self.enter(&channel, member).await,
            StoreRequest::Exit { channel, client } => self.exit(&channel, client).await,
            StoreRequest::Members { channel, limit } => self.members(&channel, limit).await,
            // Appends wait in turn for their channel.
            StoreRequest::Append { .. } => Ok(StoreReply::Failed(StoreError::Unavailable)),
        }
    }

    /// Answers a question of this weight.
    fn reply(&self, ticket: StoreTicket, weight: usize, reply: StoreReply) {
        self.questions.set(self.questions.get().saturating_sub(1));
        self.bytes.set(self.bytes.get().saturating_sub(weight));
        self.inbox.reply(ticket, reply);
    }

    /// The class of channels that keep this much.
    fn class(&self, keep: Keep) -> Rc<Class> {
        let name = names::class(keep);
        let mut classes = self.classes.borrow_mut();
        let class = classes.entry(name).or_insert_with(|| Rc::new(Class::new(&self.link, keep)));
        Rc::clone(class)
    }

    /// Looks whether the class's stream is still what it was; `lost` if it is known not to be.
    async fn check(&self, class: &Class, lost: bool) -> Result<(), Trouble> {
        let found = class.check(&self.link, &self.settings, lost).await?;
        self.found(found);
        Ok(())
    }

    /// A message of a life was met that is not known: whichever life there is, it is known after.
    async fn meet(&self, class: &Class, strange: names::Life) -> Result<(), Trouble> {
        let found = class.meet(&self.link, &self.settings, strange).await?;
        self.found(found);
        Ok(())
    }

    fn found(&self, found: Found) {
        if found == Found::Other {
            self.heads.borrow_mut().clear();
            self.doubt_all();
        }
    }

    /// News of any channel may have been lost.
    fn doubt_all(&self) {
        let channels: Vec<_> = self.subscribed.borrow().keys().cloned().collect();
        if !channels.is_empty() {
            self.inbox.tell(News::Doubt(channels));
        }
    }
}

/// What a question takes while it waits.
fn weight(request: &StoreRequest) -> usize {
    match request {
        StoreRequest::Append { draft, .. } => draft.data.len(),
        _ => 0,
    }
}

/// 40 random bits.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness of the system, what the hasher was seeded with is left.
    if getrandom::fill(&mut bytes).is_err() {
        use std::hash::{BuildHasher, Hasher};
        bytes = std::hash::RandomState::new().build_hasher().finish().to_le_bytes();
    }
    u64::from_le_bytes(bytes) & ((1 << 40) - 1)
}
