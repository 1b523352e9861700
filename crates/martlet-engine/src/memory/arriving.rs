//! What memory stores of another process kept arrives here, piece by piece, and is dealt out anew:
//! there may be another number of stores. All of it or none: what does not fit together is refused.

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::{ChannelName, Epoch, Position, Publication, PublicationId, UnixMillis};
use martlet_core::stream::{Keep, Window};
use martlet_core::time::{Instant, Now};
use prost::Message as _;

use super::piece::{End, Kept, Part, Piece, Receipt};
use super::{Channel, MemoryStore};
use crate::record::{read_publication, receipt};

#[cfg(test)]
mod tests;

/// Everything that comes is kept, as far as there is memory for it.
const ALL: Keep = Keep { size: usize::MAX, age: Duration::MAX };

/// Why what came is not what a store kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not what a store kept: {0}")]
pub struct Garbage(&'static str);

/// A receipt for the store with this number, good until then.
type Kind = (usize, Instant, Box<str>, Publication);

/// Stores that are being filled.
#[derive(Debug)]
pub struct Arrival {
    stores: Vec<MemoryStore>,
    /// How many stores of the other process have not come to their end.
    missing: usize,
    /// What came, and what the ends say should have.
    came: End,
    told: End,
    receipts: Vec<Kind>,
}

impl Arrival {
    /// Fills `stores`, which are empty and of one seed, from as many as `from` others.
    pub fn new(stores: Vec<MemoryStore>, from: usize) -> Self {
        let (came, told) = (End::default(), End::default());
        Self { stores, missing: from, came, told, receipts: Vec::new() }
    }

    /// A piece came.
    pub fn handle_piece(&mut self, now: Now, piece: Bytes) -> Result<(), Garbage> {
        let piece = Piece::decode(piece).map_err(|_| Garbage("a piece cannot be read"))?;
        piece.channels.into_iter().try_for_each(|part| self.take_part(now, part))?;
        piece.receipts.into_iter().try_for_each(|receipt| self.take_receipt(now, receipt))?;
        piece.end.into_iter().try_for_each(|end| self.take_end(end))
    }

    /// Gives the stores, when everything is there.
    pub fn finish(mut self) -> Result<Vec<MemoryStore>, Garbage> {
        if self.missing > 0 {
            return Err(Garbage("the end of a store is missing"));
        }
        let counts = |end: &End| (end.channels, end.publications, end.receipts);
        if counts(&self.came) != counts(&self.told) {
            return Err(Garbage("something is missing"));
        }
        self.receipts.sort_by_key(|(_, until, ..)| *until);
        for (store, until, key, receipt) in self.receipts {
            self.stores[store].keys.keep_until(until, key, receipt);
        }
        Ok(self.stores)
    }

    fn owner(&self, channel: &ChannelName) -> Result<usize, Garbage> {
        let first = self.stores.first().ok_or(Garbage("there is no store to fill"))?;
        Ok(first.slots.owner(channel, self.stores.len()))
    }

    fn take_part(&mut self, now: Now, part: Part) -> Result<(), Garbage> {
        let name = channel(&part.name)?;
        let owner = self.owner(&name)?;
        self.came.publications += part.kept.len() as u64;
        let new = self.stores[owner].take_part(now, name, part)?;
        self.came.channels += u64::from(new);
        Ok(())
    }

    fn take_receipt(&mut self, now: Now, came: Receipt) -> Result<(), Garbage> {
        let name = channel(&came.channel)?;
        let owner = self.owner(&name)?;
        let position = Position { epoch: epoch(came.epoch)?, offset: came.offset };
        let until = now.instant.after(Duration::from_micros(came.left));
        let id = id(&came.id)?;
        let receipt = Publication { id, ..receipt(name, position, UnixMillis(came.time), 0) };
        self.receipts.push((owner, until, came.key.into(), receipt));
        self.came.receipts += 1;
        Ok(())
    }

    fn take_end(&mut self, end: End) -> Result<(), Garbage> {
        self.missing = self.missing.checked_sub(1).ok_or(Garbage("there are too many ends"))?;
        self.told.channels += end.channels;
        self.told.publications += end.publications;
        self.told.receipts += end.receipts;
        for store in &mut self.stores {
            // The next id is later than any that came.
            store.last = store.last.max(UnixMillis(end.last).plus_ms(1));
        }
        let stores = self.stores.len();
        for forgotten in end.forgotten {
            let slot =
                u16::try_from(forgotten.slot).map_err(|_| Garbage("there is no such slot"))?;
            self.stores[usize::from(slot) % stores].forgotten.insert(slot, forgotten.times);
        }
        Ok(())
    }
}

impl MemoryStore {
    /// Takes in some of a channel. Says whether it is the first of it.
    fn take_part(&mut self, now: Now, name: ChannelName, part: Part) -> Result<bool, Garbage> {
        let head = Position { epoch: epoch(part.epoch)?, offset: part.head };
        let age = Duration::from_millis(part.age);
        let known = self.channels.get(&name).map(|channel| channel.head);
        match known {
            Some(known) if known != head => return Err(Garbage("a channel is there twice")),
            Some(_) => {}
            None => {
                let channel = Channel { head, window: Window::default(), age, used: now.instant };
                self.channels.insert(name.clone(), channel);
            }
        }
        for (index, kept) in part.kept.into_iter().enumerate() {
            let offset = part.first.saturating_add(index as u64);
            self.take_kept(&name, Position { offset, ..head }, kept)?;
        }
        self.make_room(&name);
        Ok(known.is_none())
    }

    fn take_kept(
        &mut self,
        name: &ChannelName,
        position: Position,
        kept: Kept,
    ) -> Result<(), Garbage> {
        let time = UnixMillis(kept.time);
        let read = read_publication(name.clone(), position, time, kept.record);
        let read = read.ok_or(Garbage("a publication cannot be read"))?;
        let publication = Publication { id: id(&kept.id)?, ..read };
        let channel = self.channels.get_mut(name).ok_or(Garbage("there is no such channel"))?;
        let newest = channel.window.first().map(|first| first - 1 + channel.window.len() as u64);
        let gone = channel.window.weight();
        match newest {
            _ if position.offset == 0 || position.offset > channel.head.offset => {
                return Err(Garbage("a publication is not before its head"));
            }
            Some(newest) if position.offset <= newest => {
                return Err(Garbage("a publication is there twice"));
            }
            // Those between were let go while they were waiting for their turn, and all before them.
            Some(newest) if position.offset > newest + 1 => channel.window = Window::default(),
            _ => {}
        }
        let (first, age) = (channel.window.is_empty(), channel.age);
        channel.window.push(&publication, ALL);
        self.weight = self.weight - gone + channel.window.weight();
        if first {
            self.expire_later(name, time, age);
        }
        Ok(())
    }
}

fn channel(name: &str) -> Result<ChannelName, Garbage> {
    ChannelName::parse(name).map_err(|_| Garbage("this is no channel name"))
}

fn epoch(bits: u64) -> Result<Epoch, Garbage> {
    Some(Epoch::new(bits)).filter(|e| e.bits() == bits).ok_or(Garbage("this is no epoch"))
}

fn id(bytes: &[u8]) -> Result<PublicationId, Garbage> {
    let bits = bytes.try_into().map_err(|_| Garbage("this is no id"))?;
    Ok(PublicationId::from_bits(u128::from_be_bytes(bits)))
}
