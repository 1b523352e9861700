//! Nodes that publish and one whose real shard follows, while something goes wrong, and the
//! account of it: what was accepted was heard in order, or its absence was told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use martlet_core::hub::{Delivery, LaneId, ReplyTo, Shard, ShardOutput};
use martlet_core::model::{
    ChannelName, Data, Draft, Namespace, Namespaces, Position, PublicationId,
};
use martlet_core::port::{
    Engine as _, News, Store as _, StoreError, StoreReply, StoreRequest, StoreTicket,
};
use martlet_core::session::{Reply, Request, Start};
use martlet_core::stream::Keep;
use martlet_engine::nats::Settings;
use martlet_engine::remote::Remote;
use martlet_sim::contract::Site as _;

use super::site::Nats;

/// How many questions each publisher has out.
const OUT: usize = 8;

/// How long it may take until everything is well again.
const PATIENCE: Duration = Duration::from_secs(25);

pub fn channels() -> Vec<ChannelName> {
    ["a", "b:c", "ä.*"].iter().map(|name| ChannelName::parse(name).unwrap()).collect()
}

/// Channels keep more than is published while somebody is cut off.
fn namespace() -> Namespace {
    Namespace { history_size: 50_000, ..Namespace::open() }
}

/// What a lane was given of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    Publication(Position, PublicationId, u64),
    Jump(Position),
    Renewed(Position),
}

struct Publisher {
    engine: Remote,
    out: HashMap<StoreTicket, (ChannelName, u64)>,
}

pub struct World {
    site: Nats,
    publishers: Vec<Publisher>,
    follower: Remote,
    shard: Shard,
    followed: BTreeSet<ChannelName>,
    asked: BTreeMap<u64, ChannelName>,
    numbers: u64,
    /// What was acknowledged, by channel and number.
    pub accepted: BTreeMap<(ChannelName, u64), (Position, PublicationId)>,
    /// What was said not to be published.
    refused: BTreeSet<u64>,
    pub unsure: usize,
    pub given: BTreeMap<ChannelName, Vec<Given>>,
    pub silent: usize,
    pub heard: usize,
}

impl World {
    /// Two nodes that publish, and one that follows, each of which uses the server its own way.
    pub fn new(settings: [Settings; 3]) -> Self {
        let [first, second, third] = settings;
        let mut site = Nats::new(first.clone());
        let publisher = |site: &mut Nats, node, settings| Publisher {
            engine: site.engine_with(node, settings),
            out: HashMap::new(),
        };
        let publishers = vec![publisher(&mut site, 1, first), publisher(&mut site, 2, second)];
        let follower = site.engine_with(3, third);
        let open = Some(namespace());
        let namespaces =
            Namespaces { default: open.clone(), unnamed: open, ..Namespaces::default() };
        Self {
            site,
            publishers,
            follower,
            shard: Shard::new(Arc::new(namespaces), 100, 1),
            followed: BTreeSet::new(),
            asked: BTreeMap::new(),
            numbers: 0,
            accepted: BTreeMap::new(),
            refused: BTreeSet::new(),
            unsure: 0,
            given: BTreeMap::new(),
            silent: 0,
            heard: 0,
        }
    }

    /// Everybody follows, and goes on until that is answered.
    pub fn begin(&mut self) {
        self.until("all channels are followed", |world| world.followed.len() == channels().len());
    }

    /// Publishes for a while.
    pub fn publish_for(&mut self, time: Duration) {
        let end = Clock::now() + time;
        while Clock::now() < end {
            self.publish();
            self.turn();
        }
    }

    /// Lets everything become well again, and waits until the last that was accepted is heard.
    pub fn settle(&mut self) {
        self.until("all questions are answered", |world| {
            world.publishers.iter().all(|publisher| publisher.out.is_empty())
        });
        for channel in channels() {
            let last = self.until_accepted(&channel);
            self.until("the last one is heard", |world| {
                let given = world.given.get(&channel).into_iter().flatten();
                given.rev().any(|g| matches!(g, Given::Publication(.., n) if *n == last))
            });
        }
    }

    /// Publishes no more, waits for the answers, and lets what is to be heard be heard.
    pub fn hear_all(&mut self, what: impl FnOnce()) {
        self.until("all questions are answered", |world| {
            world.publishers.iter().all(|publisher| publisher.out.is_empty())
        });
        what();
        self.until("what was missed is heard", |world| {
            let last = |channel: &ChannelName| {
                let own = world.accepted.iter().filter(|((of, _), _)| of == channel);
                own.map(|(_, (position, _))| position.offset).max()
            };
            channels().iter().all(|channel| {
                world.given[channel].iter().rev().find_map(|given| match given {
                    Given::Publication(position, ..) => Some(position.offset),
                    Given::Jump(_) | Given::Renewed(_) => None,
                }) >= last(channel)
            })
        });
    }

    fn until_accepted(&mut self, channel: &ChannelName) -> u64 {
        let end = Clock::now() + PATIENCE;
        loop {
            assert!(Clock::now() < end, "nothing is accepted any more");
            let number = self.submit(0, channel.clone());
            self.until("it is answered", |world| world.publishers[0].out.is_empty());
            if self.accepted.contains_key(&(channel.clone(), number)) {
                return number;
            }
        }
    }

    fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let end = Clock::now() + PATIENCE;
        while !so(self) {
            assert!(Clock::now() < end, "waited too long until {what}");
            self.turn();
        }
    }

    fn publish(&mut self) {
        for index in 0..self.publishers.len() {
            while self.publishers[index].out.len() < OUT {
                let channels = channels();
                let channel = channels[self.numbers as usize % channels.len()].clone();
                self.submit(index, channel);
            }
        }
    }

    fn submit(&mut self, index: usize, channel: ChannelName) -> u64 {
        self.numbers += 1;
        let number = self.numbers;
        let draft = Draft {
            channel: channel.clone(),
            name: None,
            reference: None,
            tags: Vec::new(),
            from: None,
            // Some have a key.
            idempotency_key: number.is_multiple_of(7).then(|| format!("k{number}").into()),
            data: Data::Json(Bytes::from(number.to_string())),
        };
        let keep = Keep::of(&namespace());
        let publisher = &mut self.publishers[index];
        let ticket = StoreTicket(number);
        publisher.out.insert(ticket, (channel, number));
        publisher.engine.submit(self.site.now(), ticket, StoreRequest::Append { draft, keep });
        number
    }

    fn turn(&mut self) {
        self.publishers.iter_mut().for_each(|publisher| publisher.engine.flush());
        self.follow_on();
        self.site.let_work();
        for index in 0..self.publishers.len() {
            while let Some((ticket, reply)) = self.publishers[index].engine.poll_reply() {
                let (channel, number) = self.publishers[index].out.remove(&ticket).unwrap();
                self.answered(channel, number, reply);
            }
        }
        self.follow_on();
    }

    fn answered(&mut self, channel: ChannelName, number: u64, reply: StoreReply) {
        match reply {
            StoreReply::Appended { publication, .. } => {
                self.accepted.insert((channel, number), (publication.position, publication.id));
            }
            StoreReply::Failed(StoreError::Unavailable) => drop(self.refused.insert(number)),
            StoreReply::Failed(StoreError::Unsure) => self.unsure += 1,
            other => panic!("{other:?}"),
        }
    }

    /// The following node's shard does what there is to do.
    fn follow_on(&mut self) {
        let now = self.site.now();
        if self.shard.poll_timeout().is_some_and(|at| at <= now.instant) {
            self.shard.handle_timeout(now);
        }
        for channel in channels() {
            if !self.followed.contains(&channel) && !self.asked.values().any(|c| *c == channel) {
                self.numbers += 1;
                self.asked.insert(self.numbers, channel.clone());
                let to = ReplyTo { lane: LaneId(0), ticket: self.numbers };
                self.shard.handle_request(now, to, Request::Follow { channel, start: Start::Now });
            }
        }
        while let Some((ticket, reply)) = self.follower.poll_reply() {
            self.shard.handle_store(now, ticket, reply);
        }
        while let Some(news) = self.follower.poll_news() {
            self.silent += usize::from(news == News::Silent);
            self.heard += usize::from(news == News::Heard);
            self.shard.handle_news(news);
        }
        while let Some(output) = self.shard.poll_output() {
            match output {
                ShardOutput::Store(ticket, request) => self.follower.submit(now, ticket, request),
                ShardOutput::Listen(channel) => self.follower.follow(&channel),
                ShardOutput::Unlisten(channel) => self.follower.unfollow(&channel),
                ShardOutput::Reply(to, reply) => self.replied(to.ticket, reply),
                ShardOutput::Deliver(_, delivery) => self.delivered(delivery),
                ShardOutput::Announce(_) => {}
            }
        }
        self.follower.flush();
    }

    fn replied(&mut self, ticket: u64, reply: Reply) {
        let Some(channel) = self.asked.remove(&ticket) else { return };
        if let Reply::Followed(followed) = reply {
            let given = self.given.entry(channel.clone()).or_default();
            given.push(Given::Jump(followed.head));
            self.followed.insert(channel);
        }
    }

    fn delivered(&mut self, delivery: Delivery) {
        let (channel, given) = match delivery {
            Delivery::Publication(p) => {
                let Data::Json(text) = &p.data else { panic!("{p:?}") };
                let number = std::str::from_utf8(text).unwrap().parse().unwrap();
                (p.channel.clone(), Given::Publication(p.position, p.id, number))
            }
            Delivery::Jump { channel, to } => (channel, Given::Jump(to)),
            Delivery::Renewed { channel, to } => (channel, Given::Renewed(to)),
            Delivery::Join { .. } | Delivery::Leave { .. } => return,
        };
        self.given.entry(channel).or_default().push(given);
    }

    /// How often a follower's stream jumped after it had begun.
    pub fn jumps(&self) -> usize {
        let all = self.given.values().flatten();
        all.filter(|given| !matches!(given, Given::Publication(..))).count() - channels().len()
    }

    /// Checks the account. Gives how much was accepted, and how much of it was not heard but told
    /// to be missing.
    pub fn check(&self) -> (usize, usize) {
        let mut heard: BTreeMap<u64, PublicationId> = BTreeMap::new();
        for (channel, given) in &self.given {
            let mut at: Option<Position> = None;
            for given in given {
                match *given {
                    Given::Publication(position, id, number) => {
                        let before = at.unwrap();
                        assert_eq!(position.epoch, before.epoch, "{channel}");
                        assert_eq!(position.offset, before.offset + 1, "{channel}: in order");
                        assert!(!self.refused.contains(&number), "{number} was refused");
                        let first = heard.insert(number, id);
                        assert_eq!(first.unwrap_or(id), id, "{number} was published twice");
                        at = Some(position);
                    }
                    Given::Jump(to) | Given::Renewed(to) => at = Some(to),
                }
            }
        }
        let mut missing = 0;
        for ((channel, number), (position, id)) in &self.accepted {
            match heard.get(number) {
                Some(heard) => assert_eq!(heard, id, "one id for all"),
                None => {
                    assert!(
                        self.is_told_missing(channel, *position),
                        "{channel}: {number} at {position:?} was lost in silence"
                    );
                    missing += 1;
                }
            }
        }
        (self.accepted.len(), missing)
    }

    /// Whether a jump led over a position, or to another history.
    fn is_told_missing(&self, channel: &ChannelName, position: Position) -> bool {
        let mut at: Option<Position> = None;
        self.given[channel].iter().any(|given| {
            let to = match *given {
                Given::Publication(to, ..) => {
                    return {
                        at = Some(to);
                        false
                    };
                }
                Given::Jump(to) | Given::Renewed(to) => to,
            };
            let over = at.is_some_and(|at| {
                at.epoch != to.epoch || (at.offset..to.offset).contains(&(position.offset - 1))
            });
            at = Some(to);
            over
        })
    }
}
