//! What a case is played on: the engines of some nodes, what they answered and what they told.
//! Every wait is for a condition and has an end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::{ChannelName, ClientId, Data, Draft, Offset, Publication};
use martlet_core::port::{
    Engine, News, Page, Range, Read, StoreError, StoreReply, StoreRequest, StoreTicket,
};
use martlet_core::presence::Member;
use martlet_core::stream::Keep;
use martlet_core::time::Now;

use super::Site;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much most channels keep.
pub const KEEP: Keep = Keep { size: 100, age: Duration::from_secs(3_600) };

struct Node {
    engine: Box<dyn Engine>,
    replies: BTreeMap<StoreTicket, StoreReply>,
    news: Vec<News>,
    /// Reads that settle a doubt.
    doubts: Vec<StoreTicket>,
}

impl Node {
    /// What was read to settle a doubt is as good as heard.
    fn settle_doubts(&mut self) {
        let Self { replies, news, doubts, .. } = self;
        doubts.retain(|ticket| match replies.remove(ticket) {
            Some(StoreReply::Page(page)) => {
                news.extend(page.publications.into_iter().map(News::Publication));
                false
            }
            Some(other) => panic!("asked for a page, got {other:?}"),
            None => true,
        });
    }
}

/// The engines of a case.
pub struct Stage<'a> {
    site: &'a mut dyn Site,
    case: u32,
    nodes: Vec<Node>,
    tickets: u64,
}

impl<'a> Stage<'a> {
    /// New engines for this many nodes.
    pub fn new(site: &'a mut dyn Site, case: u32, nodes: u32) -> Self {
        let node = |number| {
            let engine = site.engine(case * 16 + number);
            Node { engine, replies: BTreeMap::new(), news: Vec::new(), doubts: Vec::new() }
        };
        let nodes = (0..nodes).map(node).collect();
        Self { site, case, nodes, tickets: 0 }
    }

    /// A channel that no other case uses.
    pub fn channel(&self, name: &str) -> ChannelName {
        let name = format!("{name}~{:x}.{}", self.site.mark(), self.case);
        ChannelName::parse(&name).expect("cases name their channels well")
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        self.site.now()
    }

    /// Asks a node's engine, without waiting for the answer.
    pub fn submit(&mut self, node: usize, request: StoreRequest) -> StoreTicket {
        self.tickets += 1;
        let ticket = StoreTicket(self.tickets);
        let now = self.site.now();
        self.nodes[node].engine.submit(now, ticket, request);
        ticket
    }

    /// A turn of every node. Where news may have been lost the node reads, as a shard does.
    pub fn turn(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.engine.flush());
        self.site.let_work();
        let now = self.site.now();
        let mut doubts = Vec::new();
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let engine = &mut node.engine;
            if engine.poll_timeout().is_some_and(|at| at <= now.instant) {
                engine.handle_timeout(now);
            }
            node.replies.extend(std::iter::from_fn(|| engine.poll_reply()));
            node.settle_doubts();
            for news in std::iter::from_fn(|| node.engine.poll_news()) {
                match news {
                    News::Doubt(channels) => doubts.push((number, channels)),
                    news => node.news.push(news),
                }
            }
        }
        doubts.into_iter().for_each(|(number, channels)| self.doubt(number, channels));
    }

    fn doubt(&mut self, node: usize, channels: Vec<ChannelName>) {
        for channel in channels {
            let read = Read { channel, range: Range::After(0), limit: 1_000, keep: KEEP };
            let ticket = self.submit(node, StoreRequest::Read(read));
            self.nodes[node].doubts.push(ticket);
        }
    }

    /// Takes turns until something is so.
    pub fn until<T>(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = self.site.now().instant.after(PATIENCE);
        loop {
            if let Some(found) = so(self) {
                return found;
            }
            assert!(self.site.now().instant < end, "waited too long until {what}");
            self.turn();
        }
    }

    /// Waits for an answer.
    pub fn answer(&mut self, node: usize, ticket: StoreTicket) -> StoreReply {
        self.until("a question is answered", |stage| stage.nodes[node].replies.remove(&ticket))
    }

    /// Asks and waits. A store that cannot be reached in this moment has done nothing, and is asked
    /// again.
    pub fn ask(&mut self, node: usize, request: StoreRequest) -> StoreReply {
        let end = self.site.now().instant.after(PATIENCE);
        loop {
            let ticket = self.submit(node, request.clone());
            let reply = self.answer(node, ticket);
            let late = self.site.now().instant >= end;
            if late || reply != StoreReply::Failed(StoreError::Unavailable) {
                return reply;
            }
        }
    }

    /// Publishes; says also whether it was a repeat.
    pub fn append(&mut self, node: usize, draft: Draft, keep: Keep) -> (Arc<Publication>, bool) {
        let reply = self.ask(node, StoreRequest::Append { draft, keep });
        appended(reply)
    }

    /// Publishes a number.
    pub fn publish(&mut self, node: usize, channel: &ChannelName, number: u32) -> Arc<Publication> {
        self.append(node, draft(channel, number), KEEP).0
    }

    /// Reads a page.
    pub fn read(
        &mut self,
        node: usize,
        channel: &ChannelName,
        range: Range,
        limit: usize,
        keep: Keep,
    ) -> Page {
        let read = Read { channel: channel.clone(), range, limit, keep };
        match self.ask(node, StoreRequest::Read(read)) {
            StoreReply::Page(page) => page,
            other => panic!("asked for a page, got {other:?}"),
        }
    }

    /// Follows a channel, and reads where it begins as a shard does.
    pub fn follow(&mut self, node: usize, channel: &ChannelName) -> Page {
        self.nodes[node].engine.follow(channel);
        self.read(node, channel, Range::After(0), 0, KEEP)
    }

    /// Follows a channel, and asks nothing.
    pub fn follow_only(&mut self, node: usize, channel: &ChannelName) {
        self.nodes[node].engine.follow(channel);
    }

    /// Lets a channel be.
    pub fn unfollow(&mut self, node: usize, channel: &ChannelName) {
        self.nodes[node].engine.unfollow(channel);
    }

    /// What a node was told so far.
    pub fn news(&self, node: usize) -> &[News] {
        &self.nodes[node].news
    }

    /// The publications of a channel that a node was told of so far.
    pub fn heard(&self, node: usize, channel: &ChannelName) -> Vec<Arc<Publication>> {
        let publications = self.news(node).iter().filter_map(|news| match news {
            News::Publication(publication) => Some(publication),
            _ => None,
        });
        publications.filter(|p| p.channel == *channel).cloned().collect()
    }
}

/// The publication that an answer tells of, and whether it was a repeat.
pub fn appended(reply: StoreReply) -> (Arc<Publication>, bool) {
    match reply {
        StoreReply::Appended { publication, duplicate } => (publication, duplicate),
        other => panic!("asked to publish, got {other:?}"),
    }
}

/// A draft of a number.
pub fn draft(channel: &ChannelName, number: u32) -> Draft {
    Draft {
        channel: channel.clone(),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: None,
        data: Data::Json(Bytes::from(number.to_string())),
    }
}

/// A draft of a number under a key.
pub fn keyed(channel: &ChannelName, number: u32, key: &str) -> Draft {
    Draft { idempotency_key: Some(key.into()), ..draft(channel, number) }
}

/// The offsets of publications.
pub fn offsets(publications: &[Arc<Publication>]) -> Vec<Offset> {
    publications.iter().map(|publication| publication.position.offset).collect()
}

/// A member with this client.
pub fn member(client: u64) -> Member {
    let info = Some(Bytes::from_static(b"{\"a\":1}"));
    Member { client: ClientId::new(client), user: None, info }
}
