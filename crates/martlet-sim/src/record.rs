//! The reference record: everything that any store took, by channel, history and offset. It sees
//! the stores' answers and nothing else; what clients are told is held against it.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_core::model::{ChannelName, Epoch, Position, Publication};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

/// What a check says.
pub type Checked = Result<(), Violation>;

/// Fails with a sentence unless `good`.
pub fn hold(good: bool, why: impl FnOnce() -> String) -> Checked {
    if good { Ok(()) } else { Err(Violation(why())) }
}

#[derive(Debug)]
struct History {
    epoch: Epoch,
    /// The newest position of which a store told.
    head: u64,
    publications: BTreeMap<u64, Arc<Publication>>,
}

/// The record.
#[derive(Debug, Default)]
pub struct Record {
    /// Each channel's histories, in the order in which they began.
    channels: BTreeMap<ChannelName, Vec<History>>,
    /// What was published under each idempotency key, as the stores said.
    keys: BTreeMap<(ChannelName, Box<str>), Vec<Epoch>>,
}

impl Record {
    /// A store took a publication.
    pub fn handle_appended(&mut self, publication: &Arc<Publication>) -> Checked {
        let Position { epoch, offset } = publication.position;
        let history = self.history(&publication.channel, epoch);
        let last = history.publications.last_key_value().map_or(0, |(last, _)| *last);
        hold(history.publications.is_empty() || offset == last + 1, || {
            format!("the store numbered {offset} after {last} in {}", publication.channel)
        })?;
        history.publications.insert(offset, Arc::clone(publication));
        Ok(())
    }

    /// A store told where a channel is.
    pub fn handle_head(&mut self, channel: &ChannelName, head: Position) {
        let history = self.history(channel, head.epoch);
        history.head = history.head.max(head.offset);
    }

    /// The publication at a position.
    pub fn at(&self, channel: &ChannelName, position: Position) -> Option<&Arc<Publication>> {
        let histories = self.channels.get(channel)?;
        let history = histories.iter().find(|history| history.epoch == position.epoch)?;
        history.publications.get(&position.offset)
    }

    /// The number of the epoch, in the order in which the channel's histories began.
    pub fn rank(&self, channel: &ChannelName, epoch: Epoch) -> Option<usize> {
        self.channels.get(channel)?.iter().position(|history| history.epoch == epoch)
    }

    /// The newest epoch of a channel.
    pub fn newest(&self, channel: &ChannelName) -> Option<Epoch> {
        self.channels.get(channel)?.last().map(|history| history.epoch)
    }

    /// The newest offset of an epoch.
    pub fn head(&self, channel: &ChannelName, epoch: Epoch) -> u64 {
        let histories = self.channels.get(channel).map_or(&[][..], Vec::as_slice);
        let history = histories.iter().find(|history| history.epoch == epoch);
        let published = |history: &History| history.publications.keys().next_back().copied();
        history.map_or(0, |history| history.head.max(published(history).unwrap_or(0)))
    }

    /// A draft with this key was published in this epoch: once only, there.
    pub fn handle_key(&mut self, channel: &ChannelName, key: &str, epoch: Epoch) -> Checked {
        let epochs = self.keys.entry((channel.clone(), key.into())).or_default();
        hold(!epochs.contains(&epoch), || format!("key {key} published twice in {channel}"))?;
        epochs.push(epoch);
        Ok(())
    }

    /// A publication that a client got is the one that the store took.
    pub fn check(&self, publication: &Publication) -> Checked {
        let found = self.at(&publication.channel, publication.position);
        hold(found.is_some_and(|known| **known == *publication), || {
            format!("a client got {publication:?}, the store took {found:?}")
        })
    }

    fn history(&mut self, channel: &ChannelName, epoch: Epoch) -> &mut History {
        let histories = self.channels.entry(channel.clone()).or_default();
        let index = histories.iter().position(|h| h.epoch == epoch).unwrap_or_else(|| {
            histories.push(History { epoch, head: 0, publications: BTreeMap::new() });
            histories.len() - 1
        });
        &mut histories[index]
    }
}
