//! What a memory store keeps goes to another process. While it does, nothing changes: drafts wait.
//! What is not handed over are the members: they enter again where their clients come back.

use std::sync::Arc;

use bytes::Bytes;
use martlet_core::model::{ChannelName, Draft, Offset, Publication};
use martlet_core::port::{StoreError, StoreReply, StoreTicket};
use martlet_core::stream::Keep;
use martlet_core::time::{Instant, Now};
use prost::Message as _;

use super::MemoryStore;
use super::piece::{End, Forgotten, Kept, Part, Piece, Receipt};
use crate::record::write_publication;

/// About how large a piece is.
const PIECE_BYTES: usize = 256 * 1024;

/// How many publications are in a part of a channel.
const RUN: usize = 16;

/// How much may wait for a hand-over that takes no time to speak of.
const HELD_DRAFTS: usize = 4_096;
const HELD_BYTES: usize = 16 * 1024 * 1024;

/// Whether what a store keeps stays with it.
#[derive(Debug, Default)]
pub(super) enum Stay {
    /// It does.
    #[default]
    Here,
    /// It is on its way to another process.
    Leaving(Box<Leaving>),
    /// It is that other process's now.
    Gone,
}

impl Stay {
    pub fn here(&self) -> bool {
        matches!(self, Self::Here)
    }
}

/// How far it has come.
#[derive(Debug)]
pub(super) struct Leaving {
    channels: std::vec::IntoIter<ChannelName>,
    /// A channel of which the publications after this offset are still to come.
    rest: Option<(ChannelName, Offset)>,
    receipts: usize,
    counted: End,
    ended: bool,
    /// Drafts that wait.
    held: Vec<(StoreTicket, Draft, Keep)>,
    held_bytes: usize,
}

impl Leaving {
    fn of(channels: Vec<ChannelName>) -> Self {
        Self {
            channels: channels.into_iter(),
            rest: None,
            receipts: 0,
            counted: End::default(),
            ended: false,
            held: Vec::new(),
            held_bytes: 0,
        }
    }

    /// Whether there is no room for a draft to wait in.
    fn full(&self) -> bool {
        self.held.len() >= HELD_DRAFTS || self.held_bytes >= HELD_BYTES
    }

    fn next_part(&mut self, store: &MemoryStore) -> Option<Part> {
        loop {
            let rest = self.rest.take();
            let begins = rest.is_none();
            let (name, after) = rest.or_else(|| Some((self.channels.next()?, 0)))?;
            let Some(channel) = store.channels.get(&name) else { continue };
            let run = channel.window.after(after, RUN);
            if run.is_empty() && !begins {
                continue;
            }
            self.counted.channels += u64::from(begins);
            self.counted.publications += run.len() as u64;
            let part = Part {
                name: name.as_str().to_owned(),
                epoch: channel.head.epoch.bits(),
                head: channel.head.offset,
                age: channel.age.as_millis() as u64,
                first: run.first().map_or(0, |first| first.position.offset),
                kept: run.iter().map(kept).collect(),
            };
            let last = run.last().filter(|_| run.len() == RUN);
            self.rest = last.map(|last| (name, last.position.offset));
            return Some(part);
        }
    }

    fn next_receipt(&mut self, store: &MemoryStore, now: Instant) -> Option<Receipt> {
        let (until, key, publication) = store.keys.at(self.receipts)?;
        self.receipts += 1;
        self.counted.receipts += 1;
        Some(Receipt {
            channel: publication.channel.as_str().to_owned(),
            key: key.to_owned(),
            left: until.since(now).as_micros() as u64,
            id: id(publication),
            epoch: publication.position.epoch.bits(),
            offset: publication.position.offset,
            time: publication.time.0,
        })
    }

    fn end(&mut self, store: &MemoryStore) -> Option<End> {
        let forgotten = store.forgotten.iter();
        let forgotten =
            forgotten.map(|(slot, times)| Forgotten { slot: (*slot).into(), times: *times });
        let end =
            End { last: store.last.0, forgotten: forgotten.collect(), ..self.counted.clone() };
        (!std::mem::replace(&mut self.ended, true)).then_some(end)
    }

    fn next_piece(&mut self, store: &MemoryStore, now: Instant) -> Option<Bytes> {
        let mut piece = Piece::default();
        let mut bytes = 0;
        while bytes < PIECE_BYTES {
            if let Some(part) = self.next_part(store) {
                bytes += part.encoded_len();
                piece.channels.push(part);
            } else if let Some(receipt) = self.next_receipt(store, now) {
                bytes += receipt.encoded_len();
                piece.receipts.push(receipt);
            } else {
                piece.end = self.end(store);
                break;
            }
        }
        (piece != Piece::default()).then(|| piece.encode_to_vec().into())
    }
}

impl MemoryStore {
    /// The next piece of what it keeps. The first call makes drafts wait.
    pub(super) fn next_piece(&mut self, now: Now) -> Option<Bytes> {
        if self.stay.here() {
            let channels = self.channels.keys().cloned().collect();
            self.stay = Stay::Leaving(Box::new(Leaving::of(channels)));
        }
        // Put back at once: it looks at the store that it is a part of.
        let mut leaving = match std::mem::replace(&mut self.stay, Stay::Gone) {
            Stay::Leaving(leaving) => leaving,
            _ => return None,
        };
        let piece = leaving.next_piece(self, now.instant);
        self.stay = Stay::Leaving(leaving);
        piece
    }

    /// The hand-over has come to its end.
    pub(super) fn settle(&mut self, now: Now, served: bool) {
        let next = if served { Stay::Gone } else { Stay::Here };
        let Stay::Leaving(leaving) = std::mem::replace(&mut self.stay, next) else { return };
        for (ticket, draft, keep) in leaving.held {
            if let Some((draft, keep)) = self.stay_for(ticket, draft, keep) {
                let reply = self.append(now, draft, keep);
                self.replies.push_back((ticket, reply.unwrap_or_else(StoreReply::Failed)));
            }
        }
    }

    /// Gives a draft back that is to be published here. While the store is handed over it waits.
    /// After that a backend is told so; a client is not, as it is about to be told to come back,
    /// and whoever was not answered then asks again by itself.
    pub(super) fn stay_for(
        &mut self,
        ticket: StoreTicket,
        draft: Draft,
        keep: Keep,
    ) -> Option<(Draft, Keep)> {
        let refused = match &mut self.stay {
            Stay::Here => return Some((draft, keep)),
            Stay::Leaving(leaving) if !leaving.full() => {
                leaving.held_bytes += draft.data.len();
                leaving.held.push((ticket, draft, keep));
                false
            }
            Stay::Leaving(_) => true,
            Stay::Gone => draft.from.is_none(),
        };
        if refused {
            self.replies.push_back((ticket, StoreReply::Failed(StoreError::Moved)));
        }
        None
    }
}

fn kept(publication: &Arc<Publication>) -> Kept {
    let record = write_publication(publication).into();
    Kept { record, id: id(publication), time: publication.time.0 }
}

fn id(publication: &Publication) -> Bytes {
    Bytes::copy_from_slice(&publication.id.bits().to_be_bytes())
}
