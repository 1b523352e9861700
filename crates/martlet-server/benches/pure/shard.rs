//! A shard that owns 100,000 followed channels, and the store that keeps them: publishing in one
//! of them after the other, and following.

use std::sync::Arc;

use martlet_core::hub::{LaneId, ReplyTo, Shard, ShardOutput};
use martlet_core::port::Store as _;
use martlet_core::session::{Reply, Request, Start};
use martlet_engine::memory::MemoryStore;

use crate::count::{Meter, Subject};
use crate::samples::{channel, draft, namespaces, now};

const CHANNELS: usize = 100_000;
const ROUND: u64 = 1_000;

pub const SUBJECTS: &[Subject] = &[
    Subject {
        name: "shard: publish, 100,000 channels",
        units: ROUND,
        per: "publication",
        work: publish,
    },
    Subject {
        name: "shard: follow and unfollow, 100,000 channels",
        units: ROUND,
        per: "subscription",
        work: follow,
    },
];

/// What came out of a turn.
#[derive(Debug, Default, PartialEq, Eq)]
struct Turn {
    delivered: u64,
    published: u64,
    followed: u64,
}

struct Owner {
    shard: Shard,
    store: MemoryStore,
    turn: Turn,
}

impl Owner {
    fn new() -> Self {
        let shard = Shard::new(Arc::new(namespaces()), 2 * CHANNELS, 7);
        let store = MemoryStore::new(now(), 2 * CHANNELS, 7);
        let mut owner = Self { shard, store, turn: Turn::default() };
        (0..CHANNELS).for_each(|n| owner.ask(follow_of(n)));
        assert_eq!(owner.take_turn().followed, CHANNELS as u64);
        owner
    }

    fn ask(&mut self, request: Request) {
        let to = ReplyTo { lane: LaneId(0), ticket: 1 };
        self.shard.handle_request(now(), to, request);
        while let Some(output) = self.shard.poll_output() {
            match output {
                ShardOutput::Store(ticket, request) => {
                    self.store.submit(now(), ticket, request);
                    while let Some((ticket, reply)) = self.store.poll_reply() {
                        self.shard.handle_store(now(), ticket, reply);
                    }
                }
                ShardOutput::Deliver(..) => self.turn.delivered += 1,
                ShardOutput::Reply(_, Reply::Published(_)) => self.turn.published += 1,
                ShardOutput::Reply(_, Reply::Followed(_)) => self.turn.followed += 1,
                ShardOutput::Reply(..)
                | ShardOutput::Announce(_)
                | ShardOutput::Listen(_)
                | ShardOutput::Unlisten(_) => {}
            }
        }
    }

    fn take_turn(&mut self) -> Turn {
        std::mem::take(&mut self.turn)
    }
}

fn follow_of(number: usize) -> Request {
    Request::Follow { channel: channel(number), start: Start::Now }
}

/// Channels far apart, so that caches help as little as they do in life.
fn scattered(round: &mut usize) -> Vec<usize> {
    *round += 1;
    (0..ROUND as usize).map(|n| (*round * 7_919 + n * 97) % CHANNELS).collect()
}

fn publish(meter: &mut Meter) {
    let (mut owner, mut round) = (Owner::new(), 0);
    while meter.again() {
        let drafts: Vec<_> = scattered(&mut round)
            .into_iter()
            .map(|n| Request::Publish(draft(channel(n))))
            .collect();
        meter.measure(|| drafts.into_iter().for_each(|draft| owner.ask(draft)));
        let turn = Turn { delivered: ROUND, published: ROUND, followed: 0 };
        assert_eq!(owner.take_turn(), turn);
    }
}

fn follow(meter: &mut Meter) {
    let (mut owner, mut round) = (Owner::new(), 0);
    while meter.again() {
        let pairs: Vec<_> = scattered(&mut round)
            .into_iter()
            .map(|n| (follow_of(n), Request::Unfollow { channel: channel(n) }))
            .collect();
        meter.measure(|| {
            for (follow, unfollow) in pairs {
                owner.ask(follow);
                owner.ask(unfollow);
            }
        });
        let turn = Turn { delivered: 0, published: 0, followed: ROUND };
        assert_eq!(owner.take_turn(), turn);
    }
}
