//! A node of which there is only what decides: a shard over an engine. What it delivers is written
//! down, and held against what was accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use martlet_core::hub::{Delivery, LaneId, ReplyTo, Shard, ShardOutput};
use martlet_core::model::{
    Appended, ChannelName, Code, Data, Draft, Epoch, Namespace, Namespaces, Offset,
};
use martlet_core::port::{Engine, News};
use martlet_core::session::{Reply, Request, Start};
use martlet_core::time::Now;
use martlet_sim::contract::Site as _;

use super::site::{PATIENCE, Remotes, wait};

/// A node.
pub struct Node {
    shard: Shard,
    engine: Box<dyn Engine>,
    tickets: u64,
    replies: BTreeMap<u64, Reply>,
    /// What its one lane was given.
    pub delivered: Vec<Delivery>,
    pub silences: usize,
    pub silent: bool,
    pub doubts: usize,
}

pub fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn draft(name: &str, key: &str) -> Draft {
    Draft {
        channel: channel(name),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: Some(key.into()),
        data: Data::Json(format!("{key:?}").into()),
    }
}

impl Node {
    pub fn new(site: &mut Remotes, number: u32) -> Self {
        let open = Namespace { history_size: 10_000, ..Namespace::open() };
        let namespaces =
            Namespaces { default: Some(open.clone()), named: BTreeMap::new(), unnamed: Some(open) };
        Self {
            shard: Shard::new(Arc::new(namespaces), 100_000, number.into()),
            engine: site.engine(number),
            tickets: 0,
            replies: BTreeMap::new(),
            delivered: Vec::new(),
            silences: 0,
            silent: false,
            doubts: 0,
        }
    }

    /// Asks the shard; gives the question's number.
    pub fn ask(&mut self, now: Now, request: Request) -> u64 {
        self.tickets += 1;
        let to = ReplyTo { lane: LaneId(0), ticket: self.tickets };
        self.shard.handle_request(now, to, request);
        self.work(now);
        self.tickets
    }

    /// Takes in what has come, and does what the shard wants.
    pub fn work(&mut self, now: Now) {
        self.shard.handle_timeout(now);
        self.do_all(now);
        while let Some((ticket, reply)) = self.engine.poll_reply() {
            self.shard.handle_store(now, ticket, reply);
            self.do_all(now);
        }
        while let Some(news) = self.engine.poll_news() {
            match &news {
                News::Silent => (self.silent, self.silences) = (true, self.silences + 1),
                News::Heard => self.silent = false,
                News::Doubt(_) => self.doubts += 1,
                _ => {}
            }
            self.shard.handle_news(news);
            self.do_all(now);
        }
        self.engine.flush();
    }

    fn do_all(&mut self, now: Now) {
        while let Some(output) = self.shard.poll_output() {
            match output {
                ShardOutput::Store(ticket, request) => self.engine.submit(now, ticket, request),
                ShardOutput::Listen(channel) => self.engine.follow(&channel),
                ShardOutput::Unlisten(channel) => self.engine.unfollow(&channel),
                ShardOutput::Reply(to, reply) => _ = self.replies.insert(to.ticket, reply),
                ShardOutput::Deliver(_, delivery) => self.delivered.push(delivery),
                ShardOutput::Announce(_) => {}
            }
        }
    }

    /// The reply to a question, if it has come.
    pub fn reply(&mut self, ticket: u64) -> Option<Reply> {
        self.replies.remove(&ticket)
    }

    /// Asks, and waits for the reply.
    pub fn asked(&mut self, site: &mut Remotes, request: Request) -> Reply {
        let now = site.now();
        let ticket = self.ask(now, request);
        let clock = site.clock();
        wait(site, "a reply", || {
            self.work(clock());
            self.reply(ticket)
        })
    }

    /// Follows a channel from now on.
    pub fn follow(&mut self, site: &mut Remotes, name: &str) {
        let request = || Request::Follow { channel: channel(name), start: Start::Now };
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.asked(site, request()) {
                Reply::Followed(_) => return,
                Reply::Refused(refusal) if refusal.code == Code::EngineUnavailable => {}
                other => panic!("{other:?}"),
            }
        }
        panic!("{name} cannot be followed");
    }

    /// Publishes under a key until it is accepted.
    pub fn publish(&mut self, site: &mut Remotes, name: &str, key: &str) -> Appended {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.asked(site, Request::Publish(draft(name, key))) {
                Reply::Published(appended) => return appended,
                Reply::Refused(refusal) if refusal.code == Code::EngineUnavailable => {}
                other => panic!("{other:?}"),
            }
        }
        panic!("{key} is not accepted");
    }

    /// Publishes without waiting; the question's number.
    pub fn begin_publish(&mut self, now: Now, name: &str, key: &str) -> u64 {
        self.ask(now, Request::Publish(draft(name, key)))
    }

    /// What was delivered of a channel: numbers of publications, and where the stream went on.
    pub fn heard(&self, name: &str) -> Vec<Heard> {
        let of = channel(name);
        let heard = self.delivered.iter().filter_map(|delivery| match delivery {
            Delivery::Publication(p) if p.channel == of => {
                Some(Heard::Publication(p.position.epoch, p.position.offset))
            }
            Delivery::Jump { channel, to } if *channel == of => {
                Some(Heard::Gap(to.epoch, to.offset))
            }
            Delivery::Renewed { channel, to } if *channel == of => {
                Some(Heard::Gap(to.epoch, to.offset))
            }
            _ => None,
        });
        heard.collect()
    }
}

/// One thing that a lane was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    Publication(Epoch, Offset),
    /// After this position the stream goes on, over a gap.
    Gap(Epoch, Offset),
}

/// Counts of a stream: delivered, gaps.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub delivered: usize,
    pub gaps: usize,
    /// Accepted, not delivered, and behind a gap.
    pub named: usize,
}

/// Holds what was heard against what was accepted: everything in one order, nothing twice, and
/// nothing missing that no gap names.
pub fn judge(heard: &[Heard], accepted: &[Appended]) -> Count {
    let mut count = Count::default();
    let mut at: Option<(Epoch, Offset)> = None;
    let mut got = BTreeSet::new();
    let mut broken = BTreeSet::new();
    for heard in heard {
        match *heard {
            Heard::Publication(epoch, offset) => {
                if let Some((before, last)) = at {
                    assert_eq!((epoch, offset), (before, last + 1), "out of turn: {heard:?}");
                }
                assert!(got.insert((epoch, offset)), "twice: {heard:?}");
                at = Some((epoch, offset));
                count.delivered += 1;
            }
            Heard::Gap(epoch, offset) => {
                if let Some((before, last)) = at {
                    broken.insert((before, last, epoch, offset));
                }
                at = Some((epoch, offset));
                count.gaps += 1;
            }
        }
    }
    for appended in accepted {
        let place = (appended.position.epoch, appended.position.offset);
        if got.contains(&place) {
            continue;
        }
        // It is behind the place in its own history after which the stream went on in another, or
        // in the same one farther on.
        let within = |(epoch, from, to_epoch, to): &(Epoch, Offset, Epoch, Offset)| {
            place.0 == *epoch && place.1 > *from && (to_epoch != epoch || place.1 <= *to)
        };
        assert!(broken.iter().any(within), "missing, and no gap names it: {appended:?}");
        count.named += 1;
    }
    count
}
