//! A store that is made up: exact, and able to fail and to lose its newest publications. It
//! answers at once; being late is the world's doing. Epochs and ids are numbered in the order in
//! which they are made, so that transcripts can name them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use martlet_core::model::{
    ChannelName, Draft, Epoch, NodeId, Offset, Position, Publication, PublicationId, UnixMillis,
};
use martlet_core::port::{
    Engine, News, Page, Range, Read, Store, StoreError, StoreReply, StoreRequest, StoreTicket,
};
use martlet_core::presence::{Moved, Roster};
use martlet_core::stream::{Extent, Keep};
use martlet_core::time::{Instant, Now};

use crate::dice::Dice;

/// How long a repeated idempotency key is recognised.
const KEYS_KEPT: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct History {
    head: Position,
    /// The end of what it has in common with the history that it went on from.
    previous: Option<Position>,
    kept: VecDeque<Arc<Publication>>,
}

/// A store.
#[derive(Debug)]
pub struct Shelf {
    histories: BTreeMap<ChannelName, History>,
    keys: BTreeMap<(ChannelName, Box<str>), (Instant, Arc<Publication>)>,
    /// How many epochs and publications were made.
    epochs: u64,
    publications: u64,
    /// The time of the newest publication: times rise though clocks may not.
    last: UnixMillis,
    /// How many of the next requests fail.
    failures: u32,
    replies: VecDeque<(StoreTicket, StoreReply)>,
    /// Which node asks.
    pub node: NodeId,
    roster: Roster,
    news: VecDeque<News>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            histories: BTreeMap::new(),
            keys: BTreeMap::new(),
            epochs: 0,
            publications: 0,
            last: UnixMillis::default(),
            failures: 0,
            replies: VecDeque::new(),
            node: NodeId::new(0),
            roster: Roster::default(),
            news: VecDeque::new(),
        }
    }
}

impl Shelf {
    /// The next request fails.
    pub fn fail_next(&mut self) {
        self.failures += 1;
    }

    /// The channel's history is lost; a new one begins with the next use.
    pub fn forget(&mut self, channel: &ChannelName) {
        self.histories.remove(channel);
        self.keys.retain(|(name, _), _| name != channel);
    }

    /// It breaks and comes back without the newest publications of some channels. What is left
    /// of them is a new history. Gives what is left.
    pub fn crash(&mut self, dice: &mut Dice) -> Vec<Arc<Publication>> {
        let mut left = Vec::new();
        for history in self.histories.values_mut() {
            let lost = dice.between(0, history.kept.len());
            if lost == 0 && dice.chance(500) {
                continue;
            }
            self.epochs += 1;
            history.lose(lost, Epoch::new(self.epochs));
            left.extend(history.kept.iter().cloned());
        }
        let kept: BTreeMap<_, _> = left.iter().map(|p| (p.id, Arc::clone(p))).collect();
        let histories = &self.histories;
        self.keys.retain(|(channel, _), (_, publication)| {
            if let Some(again) = kept.get(&publication.id) {
                *publication = Arc::clone(again);
            }
            histories.get(channel).is_some_and(|h| h.head.epoch == publication.position.epoch)
        });
        left
    }

    fn append(&mut self, now: Now, draft: Draft, keep: Keep) -> StoreReply {
        let key = draft.idempotency_key.clone().map(|key| (draft.channel.clone(), key));
        if let Some((until, publication)) = key.as_ref().and_then(|key| self.keys.get(key))
            && now.instant < *until
        {
            let publication = Arc::clone(publication);
            return StoreReply::Appended { publication, duplicate: true };
        }
        self.publications += 1;
        self.last = self.last.max(now.wall);
        let id = PublicationId::new(self.last, u128::from(self.publications));
        let time = self.last;
        let history = self.history(&draft.channel);
        history.head.offset += 1;
        let publication = Arc::new(publish(draft, id, history.head, time));
        history.kept.push_back(Arc::clone(&publication));
        history.expire(time, keep);
        if let Some(key) = key {
            self.keys.insert(key, (now.instant.after(KEYS_KEPT), Arc::clone(&publication)));
        }
        StoreReply::Appended { publication, duplicate: false }
    }

    fn read(&mut self, now: Now, read: &Read) -> StoreReply {
        let wall = self.last.max(now.wall);
        let history = self.history(&read.channel);
        history.expire(wall, read.keep);
        let all = || history.kept.iter();
        let limit = read.limit;
        let (before, publications) = match read.range {
            Range::After(after) => {
                (after, all().filter(|p| p.position.offset > after).take(limit).cloned().collect())
            }
            Range::Since(time) => {
                let first = all().find(|p| p.time >= time).map(|p| p.position.offset);
                let before = first.map_or(history.head.offset, |first| first - 1);
                let after = all().filter(|p| p.position.offset > before);
                (before, after.take(limit).cloned().collect())
            }
            Range::Until(until) => {
                let up_to = all().rev().filter(|p| p.position.offset <= until);
                (until, up_to.take(limit).cloned().collect())
            }
        };
        let extent = Extent {
            head: history.head,
            first: history.first(),
            kept: read.keep.size > 0,
            previous: history.previous,
        };
        StoreReply::Page(Page { extent, before, publications })
    }

    fn moved(&mut self, channel: ChannelName, moved: Option<Moved>) -> StoreReply {
        self.news.extend(moved.map(|moved| News::Moved(channel, moved)));
        StoreReply::Done
    }

    fn history(&mut self, channel: &ChannelName) -> &mut History {
        self.histories.entry(channel.clone()).or_insert_with(|| {
            self.epochs += 1;
            let head = Position { epoch: Epoch::new(self.epochs), offset: 0 };
            History { head, previous: None, kept: VecDeque::new() }
        })
    }
}

impl Store for Shelf {
    fn submit(&mut self, now: Now, ticket: StoreTicket, request: StoreRequest) {
        let reply = if self.failures > 0 {
            self.failures -= 1;
            StoreReply::Failed(StoreError::Unavailable)
        } else {
            match request {
                StoreRequest::Append { draft, keep } => self.append(now, draft, keep),
                StoreRequest::Read(read) => self.read(now, &read),
                StoreRequest::Enter { channel, member } => {
                    let moved = self.roster.enter(self.node, &channel, member);
                    self.moved(channel, moved)
                }
                StoreRequest::Exit { channel, client } => {
                    let moved = self.roster.exit(self.node, &channel, client);
                    self.moved(channel, moved)
                }
                StoreRequest::Members { channel, limit } => {
                    let (members, count) = self.roster.members(&channel, limit);
                    StoreReply::Members { members, count }
                }
            }
        };
        self.replies.push_back((ticket, reply));
    }

    fn poll_reply(&mut self) -> Option<(StoreTicket, StoreReply)> {
        self.replies.pop_front()
    }

    fn handle_timeout(&mut self, now: Now) {
        self.keys.retain(|_, (until, _)| now.instant < *until);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.keys.values().map(|(until, _)| *until).min()
    }
}

/// It tells everything to whoever asks first: of followers it knows nothing.
impl Engine for Shelf {
    fn follow(&mut self, _: &ChannelName) {}

    fn unfollow(&mut self, _: &ChannelName) {}

    fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn flush(&mut self) {}
}

impl History {
    fn first(&self) -> Offset {
        self.kept.front().map_or(self.head.offset + 1, |oldest| oldest.position.offset)
    }

    fn expire(&mut self, wall: UnixMillis, keep: Keep) {
        let horizon = wall.minus_ms(keep.age.as_millis() as u64);
        let old = |p: &Arc<Publication>| p.time < horizon;
        while self.kept.len() > keep.size || self.kept.front().is_some_and(old) {
            self.kept.pop_front();
        }
    }

    /// Loses the newest `lost` publications; those left are of the epoch `epoch`.
    fn lose(&mut self, lost: usize, epoch: Epoch) {
        self.kept.truncate(self.kept.len() - lost);
        for publication in &mut self.kept {
            let mut again = Publication::clone(publication);
            again.position.epoch = epoch;
            *publication = Arc::new(again);
        }
        let offset = self.head.offset - lost as u64;
        self.previous = Some(Position { offset, ..self.head });
        self.head = Position { epoch, offset };
    }
}

fn publish(draft: Draft, id: PublicationId, position: Position, time: UnixMillis) -> Publication {
    let Draft { channel, name, reference, tags, from, data, .. } = draft;
    Publication { channel, id, position, time, name, reference, tags, from, data }
}
