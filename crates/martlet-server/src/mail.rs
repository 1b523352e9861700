//! What workers of one node say to each other, and what others say to them. Everything that goes
//! to one worker in one turn goes as one batch.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_core::hub::{Delivery, LaneId, ReplyTo};
use martlet_core::model::{
    ChannelName, ClientId, Close, Code, Draft, Refusal, SessionKey, Slots, UnixMillis, UserId,
};
use martlet_core::session::{Reply, Request};
use tokio::sync::{mpsc, oneshot};

use crate::memory::Memory;
use crate::worker::{NextPoll, Ticket, WorkerStats};

/// One thing said to a worker.
#[derive(Debug)]
pub enum Mail {
    /// A connection to serve.
    Socket(TcpStream),
    /// A question for a channel of the worker's shard, from a worker.
    Request(ReplyTo, Request),
    /// A question for a channel of the worker's shard, from outside all workers.
    Ask(Request, oneshot::Sender<Reply>),
    /// Drafts for channels of the worker's shard, from outside all workers. They are published in
    /// this order, and answered together.
    Publish(Vec<Draft>, oneshot::Sender<Vec<Reply>>),
    /// The answer to a question of this worker.
    Reply(u64, Reply),
    /// Something of a channel that the worker's lane follows.
    Deliver(Delivery),
    /// A session that was continued elsewhere.
    Replace(SessionKey),
    /// A frame for a session, which came by itself.
    Frame(SessionKey, Bytes, oneshot::Sender<Result<(), Refusal>>),
    /// The client of a session goes for good.
    Leave(SessionKey),
    /// A poll of a session.
    Poll(SessionKey, NextPoll, Ticket),
    /// Whoever polled a session is gone.
    PollGone(SessionKey),
    /// Do something with some sessions; answer with how many there were.
    Control(Control, oneshot::Sender<usize>),
    /// The engine has forgotten the node's members: they are to enter again.
    Forgotten,
    /// Give what is kept here, piece by piece, for a successor. Drafts wait from now on.
    HandOver(mpsc::Sender<Bytes>),
    /// The successor serves, or there is none after all.
    HandedOver(bool),
    /// Say that it lives.
    Hello(oneshot::Sender<()>),
    /// Say how things are.
    Stats(oneshot::Sender<WorkerStats>),
    /// Send whoever still comes elsewhere: the node is not ready any more.
    Depart(Arc<[Box<str>]>),
    /// Let the clients go over this time; answer when that is done.
    LetGo(Duration, oneshot::Sender<()>),
    /// End all sessions, of which those who are behind have this long to catch up; answer when the
    /// last has gone.
    Stop(Duration, oneshot::Sender<()>),
    /// End the worker.
    Exit,
}

/// About what a letter takes beside what it carries.
const LETTER_BYTES: usize = 128;

impl Mail {
    /// How much memory it takes while it waits, nearly.
    pub fn bytes(&self) -> usize {
        let carried = match self {
            Self::Publish(drafts, _) => drafts.iter().map(draft_bytes).sum(),
            Self::Request(_, Request::Publish(draft)) | Self::Ask(Request::Publish(draft), _) => {
                draft_bytes(draft)
            }
            Self::Deliver(Delivery::Publication(publication)) => publication.data.len(),
            Self::Reply(_, Reply::Loaded(page)) => {
                page.publications.iter().map(|publication| publication.data.len()).sum()
            }
            Self::Frame(_, frame, _) => frame.len(),
            _ => 0,
        };
        LETTER_BYTES + carried
    }

    /// How much there is to do, in letters with one thing to do.
    pub fn weight(&self) -> usize {
        match self {
            Self::Publish(drafts, _) => drafts.len(),
            _ => 1,
        }
    }
}

fn draft_bytes(draft: &Draft) -> usize {
    LETTER_BYTES + draft.data.len()
}

/// How much memory letters take while they wait, nearly.
pub fn bytes_of(letters: &[Mail]) -> usize {
    letters.iter().map(Mail::bytes).sum()
}

/// Something done to sessions from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Make them follow a channel.
    Subscribe(Whom, ChannelName),
    /// Make them follow a channel no more.
    Unsubscribe(Whom, ChannelName),
    /// End them. Grants made until `at` are good no more.
    Disconnect {
        /// Which ones.
        whom: Whom,
        /// With what words.
        close: Close,
        /// When that was decided.
        at: UnixMillis,
    },
}

/// Which sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Whom {
    /// All of a user.
    User(UserId),
    /// All of a client; more than one if it has used its grant twice.
    Client(ClientId),
    /// The one with this key.
    Session(SessionKey),
}

/// The ways to all workers of a node. Cheap to clone; usable from any thread.
#[derive(Debug, Clone)]
pub struct Mailboxes {
    boxes: Vec<mpsc::UnboundedSender<Vec<Mail>>>,
    slots: Slots,
    memory: Arc<Memory>,
}

/// A worker is gone: the node is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopping;

impl Mailboxes {
    /// Mailboxes of `boxes`; `seed` decides which worker owns which channel. What waits in them
    /// counts in `memory`.
    pub fn new(
        boxes: Vec<mpsc::UnboundedSender<Vec<Mail>>>,
        seed: u64,
        memory: Arc<Memory>,
    ) -> Self {
        Self { boxes, slots: Slots::new(seed), memory }
    }

    /// The memory of the node.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.boxes.len()
    }

    /// The worker whose shard owns `channel`.
    pub fn owner(&self, channel: &ChannelName) -> LaneId {
        LaneId(self.slots.owner(channel, self.boxes.len()) as u16)
    }

    /// Says something to a worker.
    pub fn send(&self, to: LaneId, mail: Vec<Mail>) -> Result<(), Stopping> {
        let to_box = self.boxes.get(usize::from(to.0)).ok_or(Stopping)?;
        self.memory.posted(to, bytes_of(&mail));
        to_box.send(mail).map_err(|_| Stopping)
    }

    /// Says something to every worker. One that has stopped need not hear it.
    pub fn send_all(&self, mail: impl Fn() -> Mail) {
        for worker in 0..self.workers() {
            let _ = self.send(LaneId(worker as u16), vec![mail()]);
        }
    }

    /// Asks the owner of a channel. A publication is refused when there is too little memory.
    pub async fn ask(&self, channel: &ChannelName, request: Request) -> Result<Reply, Stopping> {
        let owner = self.owner(channel);
        if matches!(request, Request::Publish(_))
            && let Some(refusal) = self.memory.refuses_publication(owner)
        {
            return Ok(Reply::Refused(refusal));
        }
        let (reply, answer) = oneshot::channel();
        self.send(owner, vec![Mail::Ask(request, reply)])?;
        answer.await.map_err(|_| Stopping)
    }

    /// Has drafts published by the owners of their channels, with one letter to each owner. The
    /// replies come in the order of the drafts. An owner that is sent no more for want of memory
    /// refuses its whole share, so that those of a channel stay in order.
    pub async fn publish(&self, drafts: Vec<Draft>) -> Vec<Reply> {
        let owners: Vec<_> = drafts.iter().map(|draft| self.owner(&draft.channel)).collect();
        let mut shares = vec![Vec::new(); self.workers()];
        for (draft, owner) in drafts.into_iter().zip(&owners) {
            shares[usize::from(owner.0)].push(draft);
        }
        let every = shares.iter_mut().enumerate();
        let refusals: Vec<_> = every.map(|(owner, share)| self.refuse(owner, share)).collect();
        let shares = shares.into_iter().enumerate();
        let answers: Vec<_> =
            shares.map(|(to, share)| self.send_share(LaneId(to as u16), share)).collect();
        let mut replies = Vec::with_capacity(answers.len());
        for answer in answers {
            replies.push(answer.await.unwrap_or_default().into_iter());
        }
        let reply = |owner: LaneId| {
            let owner = usize::from(owner.0);
            let refusal = || refusals[owner].clone().unwrap_or_else(|| Code::Shutdown.into());
            replies[owner].next().unwrap_or_else(|| Reply::Refused(refusal()))
        };
        owners.into_iter().map(reply).collect()
    }

    /// Takes a worker's share of drafts away if it may not have it, and says why.
    fn refuse(&self, owner: usize, share: &mut Vec<Draft>) -> Option<Refusal> {
        let some = !share.is_empty();
        let refusal = some.then(|| self.memory.refuses_publication(LaneId(owner as u16)))??;
        share.clear();
        Some(refusal)
    }

    /// Sends a worker its share of a batch. If it has stopped, or there is nothing for it, the
    /// answer fails.
    fn send_share(&self, to: LaneId, share: Vec<Draft>) -> oneshot::Receiver<Vec<Reply>> {
        let (reply, answer) = oneshot::channel();
        if !share.is_empty() {
            let _ = self.send(to, vec![Mail::Publish(share, reply)]);
        }
        answer
    }

    /// Asks every worker by `mail` and gives the answers.
    pub async fn ask_all<T>(
        &self,
        mail: impl Fn(oneshot::Sender<T>) -> Mail,
    ) -> Result<Vec<T>, Stopping> {
        let mut answers = Vec::with_capacity(self.workers());
        for worker in 0..self.workers() {
            let (reply, answer) = oneshot::channel();
            self.send(LaneId(worker as u16), vec![mail(reply)])?;
            answers.push(answer);
        }
        let mut all = Vec::with_capacity(answers.len());
        for answer in answers {
            all.push(answer.await.map_err(|_| Stopping)?);
        }
        Ok(all)
    }
}

/// A worker's letters to the others, gathered until the end of its turn.
#[derive(Debug)]
pub struct Post {
    mailboxes: Mailboxes,
    letters: Vec<Vec<Mail>>,
}

impl Post {
    /// Post to `mailboxes`.
    pub fn new(mailboxes: Mailboxes) -> Self {
        let letters = (0..mailboxes.workers()).map(|_| Vec::new()).collect();
        Self { mailboxes, letters }
    }

    /// The worker whose shard owns `channel`.
    pub fn owner(&self, channel: &ChannelName) -> LaneId {
        self.mailboxes.owner(channel)
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.mailboxes.workers()
    }

    /// Why a publication for `channel` is not taken, if it is not.
    pub fn refuses_publication(&self, channel: &ChannelName) -> Option<Refusal> {
        self.mailboxes.memory.refuses_publication(self.owner(channel))
    }

    /// Puts something in.
    pub fn put(&mut self, to: LaneId, mail: Mail) {
        if let Some(letters) = self.letters.get_mut(usize::from(to.0)) {
            letters.push(mail);
        }
    }

    /// Sends what was put in. To a worker that has stopped nothing needs to be said.
    pub fn flush(&mut self) {
        for (to, letters) in self.letters.iter_mut().enumerate() {
            if !letters.is_empty() {
                let _ = self.mailboxes.send(LaneId(to as u16), std::mem::take(letters));
            }
        }
    }
}
