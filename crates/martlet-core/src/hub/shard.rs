//! The shard: the one owner, on this node, of a set of channels. What happens to a channel is
//! decided here and in one order: publishing, following, reading, presence.
//!
//! It holds no socket and no encoding, and it does not keep publications: the store does. It asks
//! the store through [`ShardOutput::Store`] and goes on when the answer comes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use smallvec::SmallVec;

use super::tail::{Step, Tail, Want};
use crate::model::{
    Appended, ChannelName, ClientId, Code, Namespace, Namespaces, Position, Publication, Refusal,
};
use crate::port::{News, Page, Range, Read, StoreError, StoreReply, StoreRequest, StoreTicket};
use crate::presence::{Holder, Member, Members, Moved};
use crate::session::{ChannelState, Followed, HistoryPage, Reply, Request, Start};
use crate::stream::{Begin, Keep, begin};
use crate::time::{Instant, Now};

mod following;
mod members;
mod reading;
#[cfg(test)]
mod tests;

/// When a process that was handed what the store kept is sure to serve.
const MOVED: Duration = Duration::from_secs(1);

/// The number of a lane, which is the number of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(pub u16);

/// Where a reply goes: to a lane's worker, under a number that the worker chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyTo {
    /// The worker.
    pub lane: LaneId,
    /// Its number for the question.
    pub ticket: u64,
}

/// What a lane gets of a channel it follows, in one order with the replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The next publication.
    Publication(Arc<Publication>),
    /// The stream jumps; the next publication is the one after this position.
    Jump {
        /// The channel.
        channel: ChannelName,
        /// The position before the next publication.
        to: Position,
    },
    /// The history is another, and the same as the one before up to this position, after which
    /// the next publication is.
    Renewed {
        /// The channel.
        channel: ChannelName,
        /// The position before the next publication.
        to: Position,
    },
    /// Somebody entered.
    Join {
        /// The channel.
        channel: ChannelName,
        /// Who.
        member: Member,
    },
    /// Somebody left.
    Leave {
        /// The channel.
        channel: ChannelName,
        /// Who.
        member: Member,
    },
}

/// What the shard wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardOutput {
    /// Ask the store.
    Store(StoreTicket, StoreRequest),
    /// Answer a question.
    Reply(ReplyTo, Reply),
    /// Give a lane something of a channel it follows.
    Deliver(LaneId, Delivery),
    /// Tell other nodes of a publication, where the engine does not do that by itself.
    Announce(Arc<Publication>),
    /// News of a channel are wanted from the engine, before anything else is asked of the store.
    Listen(ChannelName),
    /// They are wanted no more.
    Unlisten(ChannelName),
}

/// What the shard has done since it began, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardStats {
    /// Publications that the store took.
    pub published: u64,
    /// Drafts that were repeats.
    pub duplicates: u64,
    /// Requests refused.
    pub refused: u64,
    /// Times the stream of a channel jumped.
    pub jumps: u64,
    /// Channels that are followed or have members.
    pub channels: usize,
}

/// What a question to the store was for.
#[derive(Debug)]
enum Asked {
    Publish(ReplyTo),
    Follow {
        to: ReplyTo,
        start: Start,
    },
    Read {
        to: ReplyTo,
        start: Option<Start>,
        limit: usize,
        reverse: bool,
    },
    Load {
        to: ReplyTo,
    },
    CatchUp,
    /// Nobody waits for the answer: a member came or went.
    Move {
        client: ClientId,
    },
    Members {
        to: ReplyTo,
    },
}

#[derive(Debug)]
struct Question {
    channel: ChannelName,
    asked: Asked,
    /// Whether the channel's entry was there to count it.
    counted: bool,
}

#[derive(Debug, Default)]
struct Channel {
    /// How many subscriptions each lane has.
    followers: SmallVec<[(LaneId, u32); 2]>,
    tail: Tail,
    members: Members,
    /// Whether the engine was asked for its news.
    listening: bool,
    /// Questions about it that the store has not answered.
    asked: u32,
}

impl Channel {
    /// Whether nobody follows it or is about to. Until then its tail goes on: a follower whose
    /// beginning the store has just told may not miss what came since.
    fn unheeded(&self) -> bool {
        self.followers.is_empty() && self.asked == 0
    }
}

/// The owner of a set of channels.
#[derive(Debug)]
pub struct Shard {
    namespaces: Arc<Namespaces>,
    channels_max: usize,
    /// Boxed, so that a table that grows moves little.
    channels: HashMap<ChannelName, Box<Channel>, FixedState>,
    asked: HashMap<StoreTicket, Question, FixedState>,
    tickets: u64,
    /// Channels with members in their grace time, by when to look again.
    graces: BTreeSet<(Instant, ChannelName)>,
    /// Channels whose tail wants to be asked again, by when.
    retries: BTreeSet<(Instant, ChannelName)>,
    /// Clients of which the store could not be told, by when to try again.
    unmoved: BTreeSet<(Instant, ChannelName, ClientId)>,
    outputs: VecDeque<ShardOutput>,
    stats: ShardStats,
}

impl Shard {
    /// A shard without channels. `seed` is random, so that nobody can choose channel names that
    /// collide; `channels_max` is the most channels it keeps.
    pub fn new(namespaces: Arc<Namespaces>, channels_max: usize, seed: u64) -> Self {
        Self {
            namespaces,
            channels_max,
            channels: HashMap::with_hasher(FixedState::with_seed(seed)),
            asked: HashMap::with_hasher(FixedState::with_seed(seed)),
            tickets: 0,
            graces: BTreeSet::new(),
            retries: BTreeSet::new(),
            unmoved: BTreeSet::new(),
            outputs: VecDeque::new(),
            stats: ShardStats::default(),
        }
    }

    /// A worker asks. Only questions that have an answer use `to`.
    pub fn handle_request(&mut self, now: Now, to: ReplyTo, request: Request) {
        let result = match request {
            Request::Follow { channel, start } => self.follow(to, channel, start),
            Request::Unfollow { channel } => self.unfollow(to.lane, &channel),
            Request::Publish(draft) => {
                let keep = self.namespace(&draft.channel).map(Keep::of);
                keep.map(|keep| {
                    let channel = draft.channel.clone();
                    self.ask(channel, Asked::Publish(to), StoreRequest::Append { draft, keep });
                })
            }
            Request::Read { channel, start, limit, reverse } => {
                self.read(to, channel, start, limit, reverse)
            }
            Request::Load { channel, after, limit } => {
                self.ask_page(channel, Asked::Load { to }, Range::After(after), limit)
            }
            Request::Enter { channel, member, holder } => self.enter(channel, member, holder),
            Request::Exit { channel, client, holder, lost } => {
                self.exit(now, &channel, client, holder, lost)
            }
            Request::Members { channel, limit } => self.ask_members(to, channel, limit),
            Request::Channels { prefix, limit } => self.tell_channels(to, &prefix, limit),
        };
        if let Err(refusal) = result {
            self.refuse(to, refusal);
        }
    }

    /// The store answers.
    pub fn handle_store(&mut self, now: Now, ticket: StoreTicket, reply: StoreReply) {
        let Some(question) = self.asked.remove(&ticket) else { return };
        let Question { channel, asked, counted } = question;
        match (asked, reply) {
            (Asked::Publish(to), StoreReply::Appended { publication, duplicate }) => {
                self.appended(to, publication, duplicate);
            }
            (asked, StoreReply::Page(page)) => self.page(now, &channel, asked, page),
            (Asked::Members { to }, StoreReply::Members { members, count }) => {
                self.outputs.push_back(ShardOutput::Reply(to, Reply::Members { members, count }));
            }
            (Asked::Move { .. }, StoreReply::Done) => {}
            (asked, StoreReply::Failed(error)) => self.failed(now, &channel, asked, error),
            (asked, _) => self.failed(now, &channel, asked, StoreError::Unavailable),
        }
        self.answered(&channel, counted);
    }

    /// The engine tells what it heard.
    pub fn handle_news(&mut self, news: News) {
        match news {
            News::Publication(publication) => self.accept(publication),
            News::Moved(channel, moved) => self.tell_moved(&channel, moved),
            News::Doubt(channels) => channels.iter().for_each(|channel| self.doubt(channel)),
            News::Forgotten => self.enter_again(),
            // What there was meanwhile is asked for when it is heard again.
            News::Silent | News::Heard => {}
        }
    }

    /// The grace of some members may have passed, or it is time to ask the store again.
    pub fn handle_timeout(&mut self, now: Now) {
        self.retry(now);
        self.move_again(now);
        while let Some((_, channel)) = pop_due(&mut self.graces, now) {
            self.grace_passed(now, &channel);
            self.forget_idle(&channel);
        }
    }

    /// What it wants done next.
    pub fn poll_output(&mut self) -> Option<ShardOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let first = [self.graces.first(), self.retries.first()];
        let unmoved = self.unmoved.first().map(|(at, ..)| *at);
        first.into_iter().flatten().map(|(at, _)| *at).chain(unmoved).min()
    }

    /// Counts.
    pub fn stats(&self) -> ShardStats {
        ShardStats { channels: self.channels.len(), ..self.stats }
    }

    /// How many questions the store has not answered.
    pub fn questions(&self) -> usize {
        self.asked.len()
    }

    fn namespace(&self, channel: &ChannelName) -> Result<&Namespace, Refusal> {
        let found = self.namespaces.of(channel);
        found.map_err(|error| Refusal::because(Code::NamespaceUnknown, error.to_string()))
    }

    /// The channel's entry, made if need be.
    fn channel(&mut self, name: &ChannelName) -> Result<&mut Channel, Refusal> {
        let full = self.channels.len() >= self.channels_max;
        match self.channels.entry(name.clone()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(_) if full => Err(Code::NodeFull.into()),
            Entry::Vacant(entry) => Ok(entry.insert(Box::default())),
        }
    }

    fn tell_channels(&mut self, to: ReplyTo, prefix: &str, limit: usize) -> Result<(), Refusal> {
        let with_prefix =
            self.channels.iter().filter(|(name, _)| name.as_str().starts_with(prefix));
        let mut channels: Vec<_> =
            with_prefix.map(|(name, channel)| state(name, channel)).collect();
        channels.sort_by(|a, b| a.channel.cmp(&b.channel));
        channels.truncate(limit);
        self.outputs.push_back(ShardOutput::Reply(to, Reply::Channels(channels)));
        Ok(())
    }

    /// The store took a draft. A repeated one is passed on too: if the answer to the first was
    /// lost, nobody has been told of it. Whoever has, has no use for it.
    fn appended(&mut self, to: ReplyTo, publication: Arc<Publication>, duplicate: bool) {
        let (id, position, time) = (publication.id, publication.position, publication.time);
        let receipt = Appended { id, position, time, duplicate };
        self.outputs.push_back(ShardOutput::Reply(to, Reply::Published(receipt)));
        if duplicate {
            self.stats.duplicates += 1;
        } else {
            self.stats.published += 1;
        }
        self.outputs.push_back(ShardOutput::Announce(Arc::clone(&publication)));
        self.accept(publication);
    }

    /// Passes a publication on to the lanes, when its turn has come.
    fn accept(&mut self, publication: Arc<Publication>) {
        let Some(channel) = self.channels.get_mut(&publication.channel) else { return };
        if channel.unheeded() {
            return;
        }
        let name = publication.channel.clone();
        let mut steps = Vec::new();
        let want = channel.tail.handle_publication(publication, &mut steps);
        self.pass_on(&name, steps);
        self.read_on(&name, want);
    }

    /// Gives the lanes what a channel's tail let pass.
    fn pass_on(&mut self, name: &ChannelName, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Pass(publication) => self.deliver(name, Delivery::Publication(publication)),
                Step::Jump(to) => {
                    self.stats.jumps += 1;
                    self.deliver(name, Delivery::Jump { channel: name.clone(), to });
                }
                Step::Renewed(to) => {
                    self.stats.jumps += 1;
                    self.deliver(name, Delivery::Renewed { channel: name.clone(), to });
                }
            }
        }
    }

    fn deliver(&mut self, name: &ChannelName, delivery: Delivery) {
        let Some(channel) = self.channels.get(name) else { return };
        for (lane, _) in &channel.followers {
            self.outputs.push_back(ShardOutput::Deliver(*lane, delivery.clone()));
        }
    }

    fn failed(&mut self, now: Now, name: &ChannelName, asked: Asked, error: StoreError) {
        let (code, after) = match error {
            StoreError::Unavailable | StoreError::Unsure => (Code::EngineUnavailable, None),
            StoreError::Full => (Code::NodeFull, None),
            StoreError::Moved => (Code::Shutdown, Some(MOVED)),
        };
        match asked {
            Asked::Publish(to)
            | Asked::Follow { to, .. }
            | Asked::Read { to, .. }
            | Asked::Members { to }
            | Asked::Load { to } => {
                self.refuse(to, Refusal { after, ..Refusal::because(code, error.to_string()) });
            }
            Asked::CatchUp => {
                if let Some(channel) = self.channels.get_mut(name) {
                    let want = channel.tail.handle_failure();
                    self.go_on(now, name, want);
                }
            }
            Asked::Move { client } => self.not_moved(now, name, client),
        }
    }

    fn refuse(&mut self, to: ReplyTo, refusal: Refusal) {
        self.stats.refused += 1;
        self.outputs.push_back(ShardOutput::Reply(to, Reply::Refused(refusal)));
    }

    fn ask(&mut self, channel: ChannelName, asked: Asked, request: StoreRequest) {
        let entry = self.channels.get_mut(&channel);
        let counted = entry.map(|entry| entry.asked += 1).is_some();
        self.tickets += 1;
        let ticket = StoreTicket(self.tickets);
        self.asked.insert(ticket, Question { channel, asked, counted });
        self.outputs.push_back(ShardOutput::Store(ticket, request));
    }

    /// One question about the channel fewer.
    fn answered(&mut self, name: &ChannelName, counted: bool) {
        let channel = self.channels.get_mut(name).filter(|_| counted);
        channel.into_iter().for_each(|channel| channel.asked -= 1);
        self.forget_idle(name);
    }

    /// Lets go of what nobody needs any more of a channel.
    fn forget_idle(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name).filter(|channel| channel.unheeded()) else {
            return;
        };
        if std::mem::take(&mut channel.listening) {
            self.outputs.push_back(ShardOutput::Unlisten(name.clone()));
        }
        if channel.members.is_empty() {
            self.channels.remove(name);
        } else {
            channel.tail = Tail::default();
        }
    }
}

/// Takes out the first whose time has come.
fn pop_due(
    deadlines: &mut BTreeSet<(Instant, ChannelName)>,
    now: Now,
) -> Option<(Instant, ChannelName)> {
    deadlines.first().is_some_and(|(at, _)| *at <= now.instant).then(|| deadlines.pop_first())?
}

fn state(name: &ChannelName, channel: &Channel) -> ChannelState {
    ChannelState {
        channel: name.clone(),
        head: channel.tail.at(),
        subscribers: channel.followers.iter().map(|(_, count)| *count as usize).sum(),
        members: channel.members.len(),
    }
}
