//! What the shard's tests stand on: a store that answers when a test says so, other nodes that
//! publish into it, and lanes that write down what they are delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::model::{Data, Draft, Epoch, NodeId, Offset, PublicationId, UnixMillis};
use crate::presence::Roster;
use crate::stream::Extent;

pub const NODE_CHANNELS: usize = 10;

/// One channel as the store keeps it.
#[derive(Debug, Clone)]
pub struct History {
    pub head: Position,
    pub kept: Vec<Arc<Publication>>,
}

/// A store that does a request when it is told to, and answers when it is told to.
#[derive(Debug, Default)]
pub struct Store {
    pub histories: BTreeMap<ChannelName, History>,
    keys: BTreeMap<Box<str>, Arc<Publication>>,
    pub epochs: u64,
}

impl Store {
    pub fn history(&mut self, channel: &ChannelName) -> &mut History {
        let epochs = &mut self.epochs;
        self.histories.entry(channel.clone()).or_insert_with(|| {
            *epochs += 1;
            let head = Position { epoch: Epoch::new(*epochs), offset: 0 };
            History { head, kept: Vec::new() }
        })
    }

    pub fn append(&mut self, now: Now, draft: Draft, keep: Keep) -> StoreReply {
        let key = draft.idempotency_key.clone();
        if let Some(publication) = key.as_ref().and_then(|key| self.keys.get(key)) {
            let publication = Arc::clone(publication);
            return StoreReply::Appended { publication, duplicate: true };
        }
        let history = self.history(&draft.channel);
        history.head.offset += 1;
        let publication = Arc::new(publish(draft, history.head, now.wall));
        history.kept.push(Arc::clone(&publication));
        let over = history.kept.len().saturating_sub(keep.size);
        history.kept.drain(..over);
        key.into_iter().for_each(|key| drop(self.keys.insert(key, Arc::clone(&publication))));
        StoreReply::Appended { publication, duplicate: false }
    }

    pub fn read(&mut self, read: &Read) -> Page {
        let history = self.history(&read.channel);
        let History { head, kept } = history.clone();
        let first = kept.first().map_or(head.offset + 1, |oldest| oldest.position.offset);
        let extent = Extent { head, first, kept: read.keep.size > 0, previous: None };
        let offset = |publication: &Arc<Publication>| publication.position.offset;
        let before = match read.range {
            Range::After(after) | Range::Until(after) => after,
            Range::Since(time) => {
                kept.iter().find(|p| p.time >= time).map_or(head.offset, |p| offset(p) - 1)
            }
        };
        let mut publications: Vec<_> = match read.range {
            Range::Until(until) => kept.into_iter().rev().filter(|p| offset(p) <= until).collect(),
            _ => kept.into_iter().filter(|p| offset(p) > before).collect(),
        };
        publications.truncate(read.limit);
        Page { extent, before, publications }
    }

    /// The history is lost, but for the first `left` publications that it kept.
    pub fn lose(&mut self, channel: &ChannelName, left: usize) {
        self.epochs += 1;
        let epoch = Epoch::new(self.epochs);
        let history = self.history(channel);
        history.kept.truncate(left);
        let anew = history.kept.iter().enumerate().map(|(i, publication)| {
            let position = Position { epoch, offset: i as u64 + 1 };
            Arc::new(Publication { position, ..Publication::clone(publication) })
        });
        history.kept = anew.collect();
        history.head = Position { epoch, offset: history.kept.len() as u64 };
    }
}

fn publish(draft: Draft, position: Position, time: UnixMillis) -> Publication {
    let Draft { channel, name, reference, tags, from, data, .. } = draft;
    let id = PublicationId::new(time, u128::from(position.offset));
    Publication { channel, id, position, time, name, reference, tags, from, data }
}

pub struct World {
    pub shard: Shard,
    pub now: Now,
    pub store: Store,
    /// Requests that the store has not looked at.
    pub asked: Vec<(StoreTicket, StoreRequest)>,
    /// Answers that the shard has not been given.
    pub answers: Vec<(StoreTicket, StoreReply)>,
    pub replies: BTreeMap<u64, Reply>,
    /// What each lane was delivered since it was last asked, in words.
    pub heard: BTreeMap<LaneId, Vec<Delivery>>,
    pub announced: Vec<Arc<Publication>>,
    /// The channels of which it wants news.
    pub listening: BTreeSet<ChannelName>,
    roster: Roster,
    tickets: u64,
}

pub fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

pub fn lane(number: u16) -> LaneId {
    LaneId(number)
}

pub fn member(client: u64) -> Member {
    Member { client: ClientId::new(client), user: None, info: None }
}

pub fn draft(channel: &str) -> Draft {
    Draft {
        channel: name(channel),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: None,
        data: Data::Json("1".into()),
    }
}

/// Channels without a prefix keep a hundred publications, `few:` two, `none:` none; in `off:`
/// nobody recovers; `bare:` has neither presence nor join and leave.
fn namespaces() -> Namespaces {
    let open = Namespace { history_size: 100, ..Namespace::open() };
    let named = [
        ("few", Namespace { history_size: 2, ..open.clone() }),
        ("none", Namespace { history_size: 0, ..open.clone() }),
        ("off", Namespace { recovery: false, ..open.clone() }),
        ("bare", Namespace { presence: false, join_leave: false, ..open.clone() }),
    ];
    let named = named.into_iter().map(|(prefix, n)| (prefix.into(), n)).collect();
    Namespaces { default: Some(open), named, unnamed: None }
}

impl World {
    pub fn new() -> Self {
        Self {
            shard: Shard::new(Arc::new(namespaces()), NODE_CHANNELS, 7),
            now: Now { instant: Instant(0), wall: UnixMillis(1_000) },
            store: Store::default(),
            asked: Vec::new(),
            answers: Vec::new(),
            replies: BTreeMap::new(),
            heard: BTreeMap::new(),
            announced: Vec::new(),
            listening: BTreeSet::new(),
            roster: Roster::default(),
            tickets: 0,
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant.after(time);
        self.now.wall = self.now.wall.plus_ms(time.as_millis() as u64);
        self.shard.handle_timeout(self.now);
        self.settle();
    }

    /// Asks the shard for a lane; gives the number under which the reply will be found.
    pub fn ask(&mut self, from: u16, request: Request) -> u64 {
        self.tickets += 1;
        let to = ReplyTo { lane: lane(from), ticket: self.tickets };
        self.shard.handle_request(self.now, to, request);
        self.settle();
        self.tickets
    }

    /// Writes down what the shard wants done.
    pub fn settle(&mut self) {
        while let Some(output) = self.shard.poll_output() {
            match output {
                ShardOutput::Store(ticket, request) => match self.attend(&request) {
                    Some((reply, moved)) => {
                        self.shard.handle_store(self.now, ticket, reply);
                        let channel = request.channel().clone();
                        let news = moved.map(|moved| News::Moved(channel, moved));
                        news.into_iter().for_each(|news| self.shard.handle_news(news));
                    }
                    None => self.asked.push((ticket, request)),
                },
                ShardOutput::Listen(channel) => {
                    assert!(self.listening.insert(channel), "it listens already");
                }
                ShardOutput::Unlisten(channel) => {
                    assert!(self.listening.remove(&channel), "it did not listen");
                }
                ShardOutput::Reply(to, reply) => {
                    assert!(self.replies.insert(to.ticket, reply).is_none(), "answered twice");
                }
                ShardOutput::Deliver(lane, delivery) => {
                    self.heard.entry(lane).or_default().push(delivery);
                }
                ShardOutput::Announce(publication) => self.announced.push(publication),
            }
        }
    }

    /// What is asked about members is done at once.
    fn attend(&mut self, request: &StoreRequest) -> Option<(StoreReply, Option<Moved>)> {
        let node = NodeId::new(1);
        Some(match request.clone() {
            StoreRequest::Enter { channel, member } => {
                (StoreReply::Done, self.roster.enter(node, &channel, member))
            }
            StoreRequest::Exit { channel, client } => {
                (StoreReply::Done, self.roster.exit(node, &channel, client))
            }
            StoreRequest::Members { channel, limit } => {
                let (members, count) = self.roster.members(&channel, limit);
                (StoreReply::Members { members, count }, None)
            }
            StoreRequest::Append { .. } | StoreRequest::Read(_) => return None,
        })
    }

    /// The store does what it was asked at place `index`, and has an answer.
    pub fn serve(&mut self, index: usize) {
        let (ticket, request) = self.asked.remove(index);
        let reply = match request {
            StoreRequest::Append { draft, keep } => self.store.append(self.now, draft, keep),
            StoreRequest::Read(read) => StoreReply::Page(self.store.read(&read)),
            other => unreachable!("{other:?} is done at once"),
        };
        self.answers.push((ticket, reply));
    }

    /// The shard is given the answer at place `index`.
    pub fn answer(&mut self, index: usize) {
        let (ticket, reply) = self.answers.remove(index);
        self.shard.handle_store(self.now, ticket, reply);
        self.settle();
    }

    /// The store fails at what it was asked first.
    pub fn fail(&mut self, error: StoreError) {
        let (ticket, _) = self.asked.remove(0);
        self.shard.handle_store(self.now, ticket, StoreReply::Failed(error));
        self.settle();
    }

    /// The store does and answers everything, in order.
    pub fn run(&mut self) {
        for _ in 0..10_000 {
            if !self.asked.is_empty() {
                self.serve(0);
            } else if !self.answers.is_empty() {
                self.answer(0);
            } else {
                return;
            }
        }
        panic!("the store is asked without end");
    }

    pub fn follow(&mut self, from: u16, channel: &str, start: Start) -> u64 {
        self.ask(from, Request::Follow { channel: name(channel), start })
    }

    /// Follows, and gives what the shard said.
    pub fn followed(&mut self, from: u16, channel: &str, start: Start) -> Followed {
        let ticket = self.follow(from, channel, start);
        self.run();
        match self.replies.remove(&ticket) {
            Some(Reply::Followed(followed)) => followed,
            other => panic!("followed was to be answered, not {other:?}"),
        }
    }

    pub fn unfollow(&mut self, from: u16, channel: &str) {
        self.ask(from, Request::Unfollow { channel: name(channel) });
    }

    pub fn publish(&mut self, channel: &str) -> Appended {
        let ticket = self.ask(0, Request::Publish(draft(channel)));
        self.run();
        match self.replies.remove(&ticket) {
            Some(Reply::Published(appended)) => appended,
            other => panic!("published was to be answered, not {other:?}"),
        }
    }

    /// Another node publishes; its announcement is given back.
    pub fn publish_elsewhere(&mut self, channel: &str) -> Arc<Publication> {
        let namespaces = namespaces();
        let keep = Keep::of(namespaces.of(&name(channel)).unwrap());
        match self.store.append(self.now, draft(channel), keep) {
            StoreReply::Appended { publication, .. } => publication,
            _ => unreachable!("it appends"),
        }
    }

    pub fn announce(&mut self, publication: &Arc<Publication>) {
        self.shard.handle_news(News::Publication(Arc::clone(publication)));
        self.settle();
    }

    /// What a lane was delivered since this was last asked: offsets, jumps in brackets, joins
    /// and leaves with the client's number.
    pub fn heard(&mut self, from: u16) -> String {
        let heard = self.heard.remove(&lane(from)).unwrap_or_default();
        let words = heard.iter().map(|delivery| match delivery {
            Delivery::Publication(publication) => publication.position.offset.to_string(),
            Delivery::Jump { to, .. } => format!("[{}]", to.offset),
            Delivery::Renewed { to, .. } => format!("({})", to.offset),
            Delivery::Join { member, .. } => format!("+{}", member.client.bits()),
            Delivery::Leave { member, .. } => format!("-{}", member.client.bits()),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    pub fn refused(&self, ticket: u64) -> Option<Code> {
        match self.replies.get(&ticket) {
            Some(Reply::Refused(refusal)) => Some(refusal.code),
            _ => None,
        }
    }

    /// The position of this offset in the channel's history.
    pub fn at(&mut self, channel: &str, offset: Offset) -> Position {
        Position { offset, ..self.store.history(&name(channel)).head }
    }

    pub fn assert_forgotten(&self) {
        assert_eq!(self.shard.stats().channels, 0);
        assert_eq!(self.shard.questions(), 0);
    }
}
