//! Reading: what a history holds, and pages of it. The server keeps more than is to be read; what
//! is read is cut to size and age here, so that it is exact.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::join_all;
use martlet_core::model::{ChannelName, Offset, Publication, UnixMillis};
use martlet_core::port::{Page, Range, Read};
use martlet_core::stream::Extent;
use tokio::task::spawn_local;

use super::Far;
use super::heads::{Head, Written};
use super::link::{Trouble, Which};
use super::names::Life;
use super::search::Search;
use super::streams::Class;

#[cfg(test)]
mod tests;

/// Into how many parts a long stretch is divided, which are read at once.
const LANES: u64 = 8;

/// How many publications are a long stretch.
const LONG: u64 = 16;

/// A channel that is being read.
struct Reading<'a> {
    far: &'a Rc<Far>,
    class: &'a Rc<Class>,
    subject: String,
}

impl Far {
    /// Reads a page.
    pub(super) async fn read(self: &Rc<Self>, read: Read) -> Result<Page, Trouble> {
        self.link.wait_for_time().await?;
        let class = self.class(read.keep);
        let (life, last) = self.last(&class, &read.channel).await?;
        let head = self.head(&class, &read.channel, life, last.as_ref())?;
        let Some(last) = last else { return Ok(empty(head, &read)) };
        if head.before.sequence > 0 {
            self.heads.borrow_mut().learn(&read.channel, head);
        }
        self.remember_later(&class, &read, &last);
        let subject = self.link.names.channel(&class.name, "*", &read.channel);
        let reading = Reading { far: self, class: &class, subject };
        reading.page(&read, head, last).await
    }

    /// Has a channel remembered in which nothing that can be read is left.
    fn remember_later(self: &Rc<Self>, class: &Rc<Class>, read: &Read, last: &Written) {
        let Some(now) = self.link.time() else { return };
        let half = self.settings.remembered.as_millis() as u64 / 2;
        if last.taken < now.minus_ms(half) && last.taken < horizon(now, read) {
            spawn_local(Rc::clone(self).remember(Rc::clone(class), read.channel.clone()));
        }
    }
}

impl Reading<'_> {
    async fn page(&self, read: &Read, head: Head, last: Written) -> Result<Page, Trouble> {
        let at = head.before.at;
        let kept = read.keep.size > 0;
        let now = self.far.link.time().ok_or(Trouble::Down)?;
        let nothing = !kept || last.packed.time < horizon(now, read).0;
        let floor = if nothing { None } else { self.floor(horizon(now, read), &last).await? };
        let by_size = (at.offset + 1).saturating_sub(read.keep.size as u64);
        let first = floor.as_ref().map_or(at.offset + 1, |floor| floor.packed.first.max(by_size));
        let first = first.max(1);
        let extent = Extent { head: at, first, kept, previous: head.before.previous };
        let limit = read.limit as u64;
        let (before, from, to) = match read.range {
            Range::After(after) => {
                let from = after.saturating_add(1).max(first);
                (after, from, at.offset.min(from.saturating_add(limit).saturating_sub(1)))
            }
            Range::Since(time) => {
                let before = self.before(time, floor.as_ref(), &last, extent).await?;
                (before, before + 1, at.offset.min(before.saturating_add(limit)))
            }
            Range::Until(until) => {
                let to = until.min(at.offset);
                (until, first.max((to + 1).saturating_sub(limit)), to)
            }
        };
        let publications = match floor {
            Some(floor) if from <= to && limit > 0 => {
                self.stretch(&read.channel, head, floor, last, (from, to)).await?
            }
            _ => Vec::new(),
        };
        let publications = match read.range {
            Range::Until(_) => publications.into_iter().rev().collect(),
            _ => publications,
        };
        Ok(Page { extent, before, publications })
    }

    /// The oldest message that is not too old.
    async fn floor(&self, horizon: UnixMillis, last: &Written) -> Result<Option<Written>, Trouble> {
        let Some(oldest) = self.from(1).await? else { return Ok(None) };
        if oldest.packed.time >= horizon.0 {
            return Ok(Some(oldest));
        }
        self.search(&oldest, last, |packed| packed.packed.time < horizon.0).await.map(Some)
    }

    /// The offset before the first publication of this time or later.
    async fn before(
        &self,
        time: UnixMillis,
        floor: Option<&Written>,
        last: &Written,
        extent: Extent,
    ) -> Result<Offset, Trouble> {
        let Some(floor) = floor.filter(|_| last.packed.time >= time.0) else {
            return Ok(extent.head.offset);
        };
        let early = |written: &Written| written.packed.time < time.0;
        let first = match early(floor) {
            true => self.search(floor, last, early).await?.packed.first,
            false => floor.packed.first,
        };
        Ok(first.max(extent.first) - 1)
    }

    /// The publications of some offsets, all of which are kept.
    async fn stretch(
        &self,
        channel: &ChannelName,
        head: Head,
        floor: Written,
        last: Written,
        (from, to): (Offset, Offset),
    ) -> Result<Vec<Arc<Publication>>, Trouble> {
        let begin = if floor.packed.last() >= from {
            floor
        } else if last.counts && last.packed.first <= from {
            last.clone()
        } else {
            let found = self.search(&floor, &last, |w| w.packed.last() < from).await?;
            // Among void messages the search may go too far.
            if found.packed.first <= from { found } else { floor }
        };
        let short = last.packed.first <= to || to - from < LONG;
        let end = if short && !self.far.link.has_copies() {
            last.sequence
        } else {
            self.search(&begin, &last, |written| written.packed.last() < to).await?.sequence
        };
        let messages = match self.far.link.has_copies() {
            false => self.walk(begin, end, (from, to)).await?,
            true => self.weighed_walk(channel, begin, (end, last.sequence), (from, to)).await?,
        };
        let epoch = head.before.at.epoch;
        let all = messages.iter().flat_map(|message| message.packed.publications(channel, epoch));
        let wanted = all.filter(|p| (from..=to).contains(&p.position.offset));
        Ok(wanted.map(Arc::new).collect())
    }

    /// The same, of those that count. Void messages may have led the search for the end astray:
    /// what is missing then is read message by message.
    async fn weighed_walk(
        &self,
        channel: &ChannelName,
        mut begin: Written,
        (end, last): (u64, u64),
        (from, to): (Offset, Offset),
    ) -> Result<Vec<Written>, Trouble> {
        self.far.weigh(self.class, channel, &mut begin).await?;
        let messages = counting(self.walk(begin.clone(), end, (from, to)).await?);
        if messages.last().is_some_and(|message| message.packed.last() >= to) || end >= last {
            return Ok(messages);
        }
        Ok(counting(self.walk(begin, last, (from, to)).await?))
    }

    /// The messages from `begin` to the one with the number `end`, or with the last offset.
    async fn walk(
        &self,
        begin: Written,
        end: u64,
        (from, to): (Offset, Offset),
    ) -> Result<Vec<Written>, Trouble> {
        let (start, lanes) = (begin.sequence + 1, if to - from >= LONG { LANES } else { 1 });
        let left = (end + 1).saturating_sub(start);
        let bounds =
            (0..lanes).map(|lane| (start + left * lane / lanes, start + left * (lane + 1) / lanes));
        let done = begin.counts && begin.packed.last() >= to;
        let mut messages = vec![begin];
        if !done {
            for lane in join_all(bounds.map(|(low, high)| self.lane(low, high, to))).await {
                messages.extend(lane?);
            }
        }
        Ok(messages)
    }

    /// The messages with numbers from `low` to below `high`, up to the last offset.
    async fn lane(&self, low: u64, high: u64, to: Offset) -> Result<Vec<Written>, Trouble> {
        // What a void message says is no reason to stop.
        let all = self.far.link.has_copies();
        let mut messages = Vec::new();
        let mut next = low;
        while next < high
            && let Some(message) = self.from(next).await?
            && message.sequence < high
            && (all || message.packed.first <= to)
        {
            next = message.sequence + 1;
            let enough = !all && message.packed.last() >= to;
            messages.push(message);
            if enough {
                break;
            }
        }
        Ok(messages)
    }

    /// The first message between two that is not before something; `low` is, and `high` is not.
    async fn search(
        &self,
        low: &Written,
        high: &Written,
        before: impl Fn(&Written) -> bool,
    ) -> Result<Written, Trouble> {
        let mut search = Search::new(low.sequence, high.sequence);
        let mut found = high.clone();
        while let Some(look) = search.poll_look() {
            let Some(message) = self.from(look).await? else { break };
            let early = before(&message);
            search.handle_message(look, message.sequence, early);
            if !early {
                found = message;
            }
        }
        Ok(found)
    }

    async fn from(&self, sequence: u64) -> Result<Option<Written>, Trouble> {
        let which = Which::From(sequence, &self.subject);
        let kept = self.far.link.read(&self.class.stream, which).await?;
        Ok(kept.and_then(Written::of))
    }
}

/// Those of a row of messages that count: that were written after the one in front of them. The
/// first of a subject, of a life or of the row has none in front of it.
fn counting(messages: Vec<Written>) -> Vec<Written> {
    let mut before: Option<(Life, u64)> = None;
    let counts = |message: &Written| {
        let (life, after) = (message.life, message.packed.after);
        let in_front = before.replace((life, message.sequence));
        message.counts
            && in_front.is_none_or(
                |(of, sequence)| if of == life { after == sequence } else { after == 0 },
            )
    };
    messages.into_iter().filter(counts).collect()
}

/// What is older may not be read.
fn horizon(now: UnixMillis, read: &Read) -> UnixMillis {
    now.minus_ms(u64::try_from(read.keep.age.as_millis()).unwrap_or(u64::MAX))
}

/// A page of a channel that the server knows nothing of.
fn empty(head: Head, read: &Read) -> Page {
    let at = head.before.at;
    let before = match read.range {
        Range::After(offset) | Range::Until(offset) => offset,
        Range::Since(_) => at.offset,
    };
    let kept = read.keep.size > 0;
    let previous = head.before.previous;
    let extent = Extent { head: at, first: at.offset + 1, kept, previous };
    Page { extent, before, publications: Vec::new() }
}
