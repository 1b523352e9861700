//! Where channels stand, as far as this worker knows: so that a publication takes one round trip.
//! What is known may be old; the server refuses what was written on an old head.

use std::rc::Rc;
use std::time::Duration;

use martlet_core::model::{ChannelName, Epoch, Position, UnixMillis};

use super::link::{Kept, Trouble, Which};
use super::names::{self, Life};
use super::packed::{Before, Packed};
use super::streams::{Class, Witness};
use super::{Channels, Far};

#[cfg(test)]
mod tests;

/// How many heads are known at most.
const KNOWN_MAX: usize = 20_000;

/// A message of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its number in the stream.
    pub sequence: u64,
    /// The life it was written in.
    pub life: Life,
    /// When the server took it.
    pub taken: UnixMillis,
    /// What is in it.
    pub packed: Packed,
    /// Where the channel stands after it.
    pub end: Before,
    /// Whether it counts. On a stream with copies the server may take two messages that were
    /// both written after the same one; all but the first of them are void.
    pub counts: bool,
}

impl Written {
    /// Reads it; `None` if it is not one of ours.
    pub fn of(kept: Kept) -> Option<Self> {
        let life = Life::parse(names::part(&kept.subject, 3)?)?;
        let packed = Packed::read(kept.payload)?;
        let (sequence, end) = (kept.sequence, packed.end(kept.sequence));
        Some(Self { sequence, life, taken: kept.time, packed, end, counts: true })
    }
}

/// Where a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The life of its stream.
    pub life: Life,
    /// What is to be gone on from: the last message of its subject in this life, if there is one.
    pub before: Before,
}

impl Head {
    /// Where a channel stands of which `last` is the last message, in whatever life.
    pub fn of(
        channel: &ChannelName,
        life: Life,
        last: Option<&Written>,
        now: UnixMillis,
        remembered: Duration,
    ) -> Self {
        let Some(last) = last else { return Self::empty(channel, life, now, remembered) };
        let end = last.end;
        if last.life == life {
            return Self { life, before: end };
        }
        // What was taken after the last that can be trusted may stand where others were lost.
        let previous = (last.taken <= life.trusted).then_some(end.at);
        let at = Position { epoch: epoch(channel, life, 0), offset: end.at.offset };
        Self { life, before: Before { at, previous, sequence: 0, ..end } }
    }

    /// Where a channel stands of which nothing is remembered. What was forgotten is at least as
    /// old as the server remembers, so that an epoch of that time cannot come again.
    fn empty(channel: &ChannelName, life: Life, now: UnixMillis, remembered: Duration) -> Self {
        let term = now.0 / (remembered.as_millis() as u64).max(1) + 1;
        let at = |term| Position { epoch: epoch(channel, life, term), offset: 0 };
        let (time, previous) = (UnixMillis(0), Some(at(term - 1)));
        Self { life, before: Before { at: at(term), time, previous, sequence: 0 } }
    }
}

/// An epoch that every node makes alike, of whatever version (FNV-1a, and its bits mixed).
fn epoch(channel: &ChannelName, life: Life, term: u64) -> Epoch {
    let (life, term) = (life.id.to_le_bytes(), term.to_le_bytes());
    let bytes = life.into_iter().chain(term).chain(channel.as_str().bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    Epoch::new(mixed ^ (mixed >> 33))
}

/// The heads that are known.
#[derive(Debug, Default)]
pub struct Heads {
    known: Channels<Head>,
}

impl Heads {
    /// What is known of a channel.
    pub fn get(&self, channel: &ChannelName, life: Life) -> Option<Head> {
        self.known.get(channel).copied().filter(|head| head.life == life)
    }

    /// A channel stands here now, or farther on.
    pub fn learn(&mut self, channel: &ChannelName, head: Head) {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(channel) {
            // Whatever is needed again is asked for again.
            self.known.clear();
        }
        let known = self.known.entry(channel.clone()).or_insert(head);
        if known.life != head.life || known.before.sequence < head.before.sequence {
            *known = head;
        }
    }

    /// What is known of a channel is wrong.
    pub fn forget(&mut self, channel: &ChannelName) {
        self.known.remove(channel);
    }

    /// Nothing that is known holds.
    pub fn clear(&mut self) {
        self.known.clear();
    }
}

impl Far {
    /// The last message of a channel, in whatever life; and the life that there is.
    pub(super) async fn last(
        &self,
        class: &Class,
        channel: &ChannelName,
    ) -> Result<(Life, Option<Written>), Trouble> {
        let life = class.life(&self.link, &self.settings).await?;
        let subject = self.link.names.channel(&class.name, "*", channel);
        let last = self.link.read(&class.stream, Which::Last(&subject)).await;
        let last = match last {
            Err(Trouble::Unanswered) => {
                // Nobody answers for a stream that is not there, either.
                self.check(class, false).await?;
                self.link.read(&class.stream, Which::Last(&subject)).await?
            }
            last => last?,
        };
        let mut last = last.and_then(Written::of);
        if let Some(last) = last.as_mut().filter(|_| self.link.has_copies()) {
            self.weigh(class, channel, last).await?;
        }
        match &last {
            Some(last) if class.is_strange(last.life) => self.meet(class, last.life).await?,
            _ => {}
        }
        Ok((class.known_life().unwrap_or(life), last))
    }

    /// Finds out whether a message counts, and where its channel stands after it. What its writer
    /// knew to be before it is right; of what came between, each counts that was written after
    /// the one in front of it.
    pub(super) async fn weigh(
        &self,
        class: &Class,
        channel: &ChannelName,
        written: &mut Written,
    ) -> Result<(), Trouble> {
        let subject = self.link.names.channel(&class.name, &written.life.token(), channel);
        let mut end = written.packed.begin();
        loop {
            let next = Which::From(end.sequence + 1, &subject);
            let next = self.link.read(&class.stream, next).await?.and_then(Written::of);
            let Some(next) = next else { break };
            let counts = next.packed.after == end.sequence;
            end = if counts { next.end } else { Before { sequence: next.sequence, ..end } };
            if next.sequence >= written.sequence {
                written.counts = counts;
                break;
            }
        }
        written.end = Before { sequence: written.sequence, ..end };
        Ok(())
    }

    /// Where a channel stands by its last message.
    pub(super) fn head(
        &self,
        class: &Class,
        channel: &ChannelName,
        life: Life,
        last: Option<&Written>,
    ) -> Result<Head, Trouble> {
        let now = self.link.time().ok_or(Trouble::Down)?;
        let remembered = self.settings.remembered;
        if let Some(last) = last.filter(|last| last.life == life) {
            class.saw(life, witness(last));
        }
        Ok(Head::of(channel, life, last, now, remembered))
    }

    /// Where a channel stands, as it is known or by asking.
    pub(super) async fn known_head(
        &self,
        class: &Rc<Class>,
        channel: &ChannelName,
    ) -> Result<Head, Trouble> {
        self.link.wait_for_time().await?;
        let life = class.life(&self.link, &self.settings).await?;
        let known = self.heads.borrow().get(channel, life);
        if let Some(head) = known {
            return Ok(head);
        }
        let (life, last) = self.last(class, channel).await?;
        let head = self.head(class, channel, life, last.as_ref())?;
        // An empty one may be out of date without anybody's writing.
        if head.before.sequence > 0 {
            self.heads.borrow_mut().learn(channel, head);
        }
        Ok(head)
    }
}

fn witness(written: &Written) -> Witness {
    let Packed { time, batch, .. } = written.packed;
    Witness { sequence: written.sequence, time: UnixMillis(time), batch }
}
