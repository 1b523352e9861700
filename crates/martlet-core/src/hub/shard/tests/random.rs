//! Whatever the store and the other nodes do, each lane is delivered offsets that rise by one,
//! except across jumps, which skip nothing that the store still has; and nothing is left over.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::world::*;
use super::*;
use crate::model::Draft;

const CHANNELS: [&str; 3] = ["a", "few:a", "none:a"];
const LANES: u16 = 3;

#[derive(Debug, Clone)]
enum Deed {
    Follow {
        lane: u16,
        channel: usize,
        start: usize,
        back: u64,
    },
    Unfollow {
        lane: u16,
        channel: usize,
    },
    Publish {
        channel: usize,
        key: usize,
    },
    Enter {
        channel: usize,
    },
    Exit {
        channel: usize,
        lost: bool,
    },
    Read {
        channel: usize,
    },
    Serve {
        index: usize,
    },
    Answer {
        index: usize,
    },
    Fail {
        index: usize,
    },
    /// The store does it, and its answer is lost.
    LoseAnswer {
        index: usize,
    },
    Elsewhere {
        channel: usize,
    },
    Announce {
        index: usize,
        keep: bool,
    },
    LoseHistory {
        channel: usize,
        left: usize,
    },
    Pass {
        ms: u64,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    let lane = 1..=LANES;
    let channel = 0..CHANNELS.len();
    let index = 0usize..6;
    prop_oneof![
        6 => (lane.clone(), channel.clone(), 0usize..3, 0u64..5)
            .prop_map(|(lane, channel, start, back)| Deed::Follow { lane, channel, start, back }),
        3 => (lane, channel.clone()).prop_map(|(lane, channel)| Deed::Unfollow { lane, channel }),
        8 => (channel.clone(), 0usize..8).prop_map(|(channel, key)| Deed::Publish { channel, key }),
        1 => channel.clone().prop_map(|channel| Deed::Enter { channel }),
        1 => (channel.clone(), any::<bool>())
            .prop_map(|(channel, lost)| Deed::Exit { channel, lost }),
        2 => channel.clone().prop_map(|channel| Deed::Read { channel }),
        16 => index.clone().prop_map(|index| Deed::Serve { index }),
        16 => index.clone().prop_map(|index| Deed::Answer { index }),
        2 => index.clone().prop_map(|index| Deed::Fail { index }),
        1 => index.clone().prop_map(|index| Deed::LoseAnswer { index }),
        8 => channel.clone().prop_map(|channel| Deed::Elsewhere { channel }),
        10 => (index, any::<bool>()).prop_map(|(index, keep)| Deed::Announce { index, keep }),
        1 => (channel, 0usize..3).prop_map(|(channel, left)| Deed::LoseHistory { channel, left }),
        4 => (1u64..1_500).prop_map(|ms| Deed::Pass { ms }),
    ]
}

/// One lane's interest in one channel.
#[derive(Debug, Default)]
struct Interest {
    count: usize,
    at: Option<Position>,
}

struct Play {
    world: World,
    /// Announcements on their way.
    flying: Vec<Arc<Publication>>,
    /// Follows that were not answered, by ticket.
    following: BTreeMap<u64, (u16, &'static str)>,
    interests: BTreeMap<(u16, &'static str), Interest>,
}

impl Play {
    fn new() -> Self {
        let (following, interests) = (BTreeMap::new(), BTreeMap::new());
        Self { world: World::new(), flying: Vec::new(), following, interests }
    }

    fn take(&mut self, deed: &Deed) {
        let world = &mut self.world;
        match *deed {
            Deed::Follow { lane, channel, start, back } => {
                let head = world.store.history(&name(CHANNELS[channel])).head;
                let offset = head.offset.saturating_sub(back);
                let start = match start {
                    0 => Start::Now,
                    1 => Start::After(Position { offset, ..head }),
                    _ => Start::Since(world.now.wall.minus_ms(back * 300)),
                };
                let ticket = world.follow(lane, CHANNELS[channel], start);
                self.following.insert(ticket, (lane, CHANNELS[channel]));
            }
            Deed::Unfollow { lane, channel } => self.unfollow(lane, CHANNELS[channel]),
            Deed::Publish { channel, key } => {
                let idempotency_key = (key < 3).then(|| format!("{channel}-{key}").into());
                let draft = Draft { idempotency_key, ..draft(CHANNELS[channel]) };
                world.ask(1, Request::Publish(draft));
            }
            Deed::Enter { channel } => {
                let channel = name(CHANNELS[channel]);
                world.ask(1, Request::Enter { channel, member: member(7), holder: Holder(7) });
            }
            Deed::Exit { channel, lost } => {
                let (channel, client) = (name(CHANNELS[channel]), ClientId::new(7));
                world.ask(1, Request::Exit { channel, client, holder: Holder(7), lost });
            }
            Deed::Read { channel } => {
                let channel = name(CHANNELS[channel]);
                world.ask(1, Request::Load { channel, after: 0, limit: 2 });
            }
            Deed::Serve { index } if index < world.asked.len() => world.serve(index),
            Deed::Answer { index } if index < world.answers.len() => world.answer(index),
            Deed::Fail { index } if index < world.asked.len() => {
                let (ticket, _) = world.asked.remove(index);
                world.answers.push((ticket, StoreReply::Failed(StoreError::Unavailable)));
            }
            Deed::LoseAnswer { index } if index < world.answers.len() => {
                world.answers[index].1 = StoreReply::Failed(StoreError::Unavailable);
            }
            Deed::Elsewhere { channel } => {
                self.flying.push(world.publish_elsewhere(CHANNELS[channel]));
            }
            Deed::Announce { index, keep } if index < self.flying.len() => {
                let publication = Arc::clone(&self.flying[index]);
                if !keep {
                    self.flying.remove(index);
                }
                world.announce(&publication);
            }
            Deed::LoseHistory { channel, left } => {
                world.store.lose(&name(CHANNELS[channel]), left);
            }
            Deed::Pass { ms } => world.pass(Duration::from_millis(ms)),
            _ => {}
        }
        self.look();
    }

    fn unfollow(&mut self, lane: u16, channel: &'static str) {
        let Some(interest) = self.interests.get_mut(&(lane, channel)) else { return };
        interest.count -= 1;
        if interest.count == 0 {
            self.interests.remove(&(lane, channel));
        }
        self.world.unfollow(lane, channel);
    }

    /// Takes in what the lanes were answered and delivered. Deliveries that came before a lane's
    /// first follow was answered would show as ones of a channel it does not follow.
    fn look(&mut self) {
        self.look_at_deliveries();
        let answered: Vec<u64> =
            self.following.keys().filter(|t| self.world.replies.contains_key(t)).copied().collect();
        for ticket in answered {
            let (lane, channel) = self.following.remove(&ticket).expect("it was just found");
            let Some(Reply::Followed(followed)) = self.world.replies.remove(&ticket) else {
                continue;
            };
            assert_eq!(followed.begin.epoch, followed.head.epoch);
            let interest = self.interests.entry((lane, channel)).or_default();
            interest.count += 1;
            let at = *interest.at.get_or_insert(followed.head);
            assert_eq!(at, followed.head, "it is told where its lane is");
        }
    }

    fn look_at_deliveries(&mut self) {
        for (lane, deliveries) in std::mem::take(&mut self.world.heard) {
            for delivery in deliveries {
                match delivery {
                    Delivery::Publication(publication) => {
                        let at = self.at(lane, &publication.channel);
                        let next = Position { offset: at.offset + 1, ..*at };
                        assert_eq!(publication.position, next);
                        *at = next;
                    }
                    Delivery::Jump { channel, to } | Delivery::Renewed { channel, to } => {
                        let page = self.page(&channel);
                        let at = self.at(lane, &channel);
                        let skips = if to.epoch == at.epoch {
                            assert!(to.offset > at.offset, "{to:?} from {at:?}");
                            at.offset + 1..=to.offset
                        } else {
                            1..=to.offset
                        };
                        *at = to;
                        let kept = |p: &Arc<Publication>| {
                            p.position.epoch == to.epoch && skips.contains(&p.position.offset)
                        };
                        assert!(!page.publications.iter().any(kept), "it skips what is kept");
                    }
                    Delivery::Join { channel, .. } | Delivery::Leave { channel, .. } => {
                        self.at(lane, &channel);
                    }
                }
            }
        }
    }

    fn page(&mut self, channel: &ChannelName) -> Page {
        let keep = Keep { size: usize::MAX, age: Duration::MAX };
        let (channel, range) = (channel.clone(), Range::After(0));
        self.world.store.read(&Read { channel, range, limit: usize::MAX, keep })
    }

    fn at(&mut self, lane: LaneId, channel: &ChannelName) -> &mut Position {
        let channel = CHANNELS.into_iter().find(|c| *c == channel.as_str()).unwrap();
        let interest = self.interests.get_mut(&(lane.0, channel));
        interest.and_then(|i| i.at.as_mut()).expect("a channel that the lane follows")
    }

    /// The store does everything, and in its order, until nobody wants anything.
    fn rest(&mut self) {
        for _ in 0..100 {
            for _ in 0..10_000 {
                if !self.world.answers.is_empty() {
                    self.world.answer(0);
                } else if !self.world.asked.is_empty() {
                    self.world.serve(0);
                } else {
                    break;
                }
                self.look();
            }
            assert!(self.world.asked.is_empty(), "the store is asked without end");
            if self.world.shard.poll_timeout().is_none() {
                return;
            }
            self.world.pass(Duration::from_secs(1));
            self.look();
        }
        panic!("it always wants to be asked again");
    }

    fn finish(&mut self) {
        self.rest();
        for channel in 0..CHANNELS.len() {
            self.take(&Deed::Exit { channel, lost: false });
            self.take(&Deed::Publish { channel, key: 9 });
        }
        self.rest();
        assert!(self.following.is_empty(), "every follow is answered");
        for ((lane, channel), interest) in &self.interests {
            let head = self.world.store.histories[&name(channel)].head;
            assert_eq!(interest.at, Some(head), "lane {lane} in {channel}");
        }
        while let Some((lane, channel)) = self.interests.keys().next().copied() {
            self.unfollow(lane, channel);
        }
        self.rest();
        self.world.assert_forgotten();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_lane_misses_what_the_store_has(deeds in prop::collection::vec(deed(), 1..150)) {
        let mut play = Play::new();
        for deed in &deeds {
            play.take(deed);
        }
        play.finish();
    }
}
