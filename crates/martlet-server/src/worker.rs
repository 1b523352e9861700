//! A worker: one thread's sessions, lane and shard, and the turn that moves things between them.
//!
//! All of it belongs to one thread and is entered by plain calls, never across an `.await`. After
//! every call the worker *settles*: what sessions, shard and lane want done is done, until none
//! wants anything. Letters to other workers then go out as one batch each, and the sweep
//! (in `sweep`) is woken to write to whoever has something coming.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use martlet_core::crowd::{Admission, AdmissionRate};
use martlet_core::hub::{Lane, LaneId, LaneLimits, ReaderKey, Shard};
use martlet_core::model::{Draft, NodeId};
use martlet_core::port::{Engine, News};
use martlet_core::session::{Reply, Request, Rules};
use martlet_core::time::Now;
use martlet_engine::remote::Inbox;
use martlet_transport::websocket::Inflater;
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::cluster::Reach;
use crate::identity::Verifier;
use crate::mail::{Control, Mail, Post, Whom};
use crate::random;
use crate::wire::{Encoders, Layouts};

mod admission;
mod attach;
mod control;
mod handover;
mod leaving;
mod memory;
mod plain;
mod polls;
mod sessions;
mod settle;
mod stats;
mod sweep;
mod tickets;
mod timers;

pub use attach::{NewConnection, Uplink};
pub use polls::{Answered, NextPoll, Ticket};
#[cfg(test)]
pub use sessions::ENTRY_BYTES;
pub use sessions::{Attachment, PlainOpening, SessionIndex};
pub use stats::WorkerStats;

use leaving::Leaving;
use sessions::Sessions;
use stats::Counters;
use tickets::{Outward, Tickets, Waiting};

/// The size of a worker's one buffer for reading.
const READ_BYTES: usize = 64 * 1024;

/// How well messages are deflated: fast, since most are short.
const DEFLATE_LEVEL: u32 = 1;

/// What all workers of a node share.
#[derive(Clone)]
pub struct Common {
    /// Which node this is.
    pub node: NodeId,
    /// The clocks.
    pub clock: Clock,
    /// The rules of sessions.
    pub rules: Arc<Rules>,
    /// Checks tokens.
    pub verifier: Arc<Verifier>,
    /// The rates of users, over all workers.
    pub rates: Arc<crate::rates::UserRates>,
    /// The other nodes, and how well this one is connected with them.
    pub reach: Reach,
    /// Since when grants of a user are good again.
    pub revoked: Arc<crate::revoked::Revoked>,
    /// How many clients each worker lets in.
    pub admission: AdmissionRate,
    /// How many connections of each worker may not yet have said who they are; 0 for no limit.
    pub handshakes: usize,
    /// How old a connection gets; zero for as old as it likes.
    pub age: Duration,
    /// The memory of the node.
    pub memory: Arc<crate::memory::Memory>,
}

/// A worker, as its thread's tasks share it.
pub struct Worker {
    id: LaneId,
    common: Common,
    layouts: Rc<Layouts>,
    state: RefCell<State>,
    read: RefCell<ReadBuffer>,
    /// Woken when some reader is marked.
    marked: Notify,
    /// Woken when a deadline came nearer than those known before.
    nearer: Notify,
    /// Woken when the last session has gone.
    emptied: Notify,
    /// Woken when every reader has been written everything there is.
    caught_up: Notify,
    /// How many connections take no bytes at the moment.
    full: Cell<usize>,
    /// How far the worker's leaving is, if the node is to stop: whoever still comes is told so.
    leaving: RefCell<Option<Leaving>>,
}

/// What a worker's calls work on. Its fields are machines that do not know each other.
struct State {
    sessions: Sessions,
    lane: Lane,
    shard: Shard,
    engine: Box<dyn Engine>,
    tickets: Tickets,
    encoders: Encoders,
    post: Post,
    /// Answers to those outside all workers. They go out after the letters: whoever has an answer
    /// may rely on everything before it being on its way.
    answers: Vec<Outward>,
    admission: Admission,
    counters: Counters,
    thrift: memory::Thrift,
}

/// The worker's buffer for reading, and what inflates out of it.
pub struct ReadBuffer {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Inflates messages.
    pub inflater: Inflater,
}

impl Worker {
    /// A worker without sessions.
    pub fn new(id: LaneId, common: Common, post: Post, engine: Box<dyn Engine>) -> Rc<Self> {
        let now = common.clock.now();
        let rules = &common.rules;
        let workers = post.workers().max(1);
        let channels_max = rules.limits.channels_per_node.div_ceil(workers);
        let namespaces = Arc::clone(&rules.namespaces);
        let layouts = Rc::new(Layouts::new(random::bits()));
        let state = State {
            sessions: Sessions::new(now.instant),
            lane: Lane::new(LaneLimits::from(&rules.limits), random::bits()),
            shard: Shard::new(namespaces, channels_max, random::bits()),
            engine,
            tickets: Tickets::default(),
            encoders: Encoders::new(Rc::clone(&layouts), DEFLATE_LEVEL),
            post,
            answers: Vec::new(),
            admission: Admission::new(common.admission),
            counters: Counters::default(),
            thrift: memory::Thrift::default(),
        };
        Rc::new(Self {
            id,
            common,
            layouts,
            state: RefCell::new(state),
            read: RefCell::new(ReadBuffer {
                bytes: vec![0; READ_BYTES],
                inflater: Inflater::default(),
            }),
            marked: Notify::new(),
            nearer: Notify::new(),
            emptied: Notify::new(),
            caught_up: Notify::new(),
            full: Cell::new(0),
            leaving: RefCell::new(None),
        })
    }

    /// What the clocks say.
    pub fn now(&self) -> Now {
        self.common.clock.now()
    }

    /// Which worker of its node it is.
    pub fn id(&self) -> LaneId {
        self.id
    }

    /// The memory of the node.
    pub fn memory(&self) -> &Arc<crate::memory::Memory> {
        &self.common.memory
    }

    /// The rules of sessions.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.common.rules
    }

    /// The layouts of its streams.
    pub fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    /// The worker's buffer, for the length of one call.
    pub fn with_read_buffer<T>(&self, read: impl FnOnce(&mut ReadBuffer) -> T) -> T {
        read(&mut self.read.borrow_mut())
    }

    /// Takes in what the engine's server says, for as long as the worker lives.
    pub async fn hear_engine(self: Rc<Self>, inbox: Rc<Inbox>) {
        loop {
            inbox.arrived().await;
            let now = self.now();
            self.turn(|state| self.take_from_engine(state, now));
        }
    }

    /// Letters came from other workers, or from outside all of them.
    pub fn handle_mail(self: &Rc<Self>, mail: Vec<Mail>) {
        let now = self.now();
        self.turn(|state| {
            for letter in mail {
                self.take_letter(state, now, letter);
            }
        });
    }

    /// Works on the state, settles, and wakes whoever has to go on.
    fn turn<T>(self: &Rc<Self>, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let result = work(&mut state);
        self.mind_memory(&mut state);
        self.settle(&mut state);
        state.engine.flush();
        state.post.flush();
        state.answers.drain(..).for_each(Outward::send);
        if state.lane.any_marked() {
            self.marked.notify_one();
        } else if self.all_written(&state) {
            self.caught_up.notify_waiters();
        }
        if state.sessions.take_nearer() {
            self.nearer.notify_one();
        }
        if state.sessions.is_empty() {
            self.emptied.notify_waiters();
        }
        result
    }

    fn take_letter(self: &Rc<Self>, state: &mut State, now: Now, letter: Mail) {
        match letter {
            Mail::Request(to, request) => state.shard.handle_request(now, to, request),
            Mail::Reply(ticket, reply) => self.take_reply(state, now, ticket, reply),
            Mail::Deliver(delivery) => state.lane.deliver(&delivery, &mut state.encoders),
            Mail::Ask(request, reply) => {
                let to = state.tickets.ask(self.id, reply);
                state.shard.handle_request(now, to, request);
            }
            Mail::Publish(drafts, reply) => self.publish(state, now, drafts, reply),
            Mail::Replace(key) => self.replace(state, key),
            Mail::Frame(key, frame, reply) => {
                // Whoever asked may have gone; nothing depends on its hearing the answer.
                let _ = reply.send(self.take_frame_by_key(state, now, key, &frame));
            }
            Mail::Leave(key) => self.leave(state, now, key),
            Mail::Poll(key, next, ticket) => self.take_poll(state, now, key, next, ticket),
            Mail::PollGone(key) => self.poll_gone(state, now, key),
            Mail::Control(control, reply) => {
                let _ = reply.send(self.control(state, now, control));
            }
            Mail::Depart(elsewhere) => self.depart(elsewhere),
            Mail::Forgotten => state.shard.handle_news(News::Forgotten),
            Mail::HandOver(pieces) => {
                tokio::task::spawn_local(Rc::clone(self).hand_over(pieces));
            }
            Mail::HandedOver(served) => self.settle_hand_over(state, now, served),
            Mail::Hello(reply) => {
                let _ = reply.send(());
            }
            Mail::Stats(reply) => {
                let _ = reply.send(state.stats());
            }
            // These are the business of the loop that takes the mail in.
            Mail::Socket(_) | Mail::LetGo(..) | Mail::Stop(..) | Mail::Exit => {}
        }
    }

    /// Publishes a batch. Each draft is settled before the next is looked at, so that what the
    /// machines want done never piles up.
    fn publish(
        self: &Rc<Self>,
        state: &mut State,
        now: Now,
        drafts: Vec<Draft>,
        reply: oneshot::Sender<Vec<Reply>>,
    ) {
        let batch = state.tickets.batch(drafts.len(), reply);
        for (place, draft) in drafts.into_iter().enumerate() {
            let to = state.tickets.give(self.id, Waiting::Batch(batch, place));
            state.shard.handle_request(now, to, Request::Publish(draft));
            self.settle_shard(state, now);
        }
    }
}
