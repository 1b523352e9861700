//! What a message of a stream holds: the publications that one node published in one channel at
//! once, or none, where a channel is only to be remembered. Nodes of neighbouring versions read
//! each other's: fields are added, never changed.

use bytes::Bytes;
use martlet_core::model::{ChannelName, Draft, Epoch, Offset, Position, Publication, UnixMillis};
use prost::Message as _;

use crate::record;

#[cfg(test)]
mod tests;

/// A message of a stream.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Packed {
    /// The epoch it was written in.
    #[prost(fixed64, tag = "1")]
    pub epoch: u64,
    /// The offset of the first publication.
    #[prost(uint64, tag = "2")]
    pub first: Offset,
    /// When it was written, by the server's clock; never before what is in front of it.
    #[prost(uint64, tag = "3")]
    pub time: u64,
    /// Random: whoever wrote it knows it again.
    #[prost(fixed64, tag = "4")]
    pub batch: u64,
    /// The epoch that this one went on from.
    #[prost(fixed64, optional, tag = "5")]
    pub previous_epoch: Option<u64>,
    /// Up to where.
    #[prost(uint64, tag = "6")]
    pub previous_offset: Offset,
    /// The publications, as records.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub publications: Vec<Bytes>,
    /// The number of the message of its subject that it was written after.
    #[prost(uint64, tag = "8")]
    pub after: u64,
}

/// What a key published, kept for a while.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Receipt {
    /// The position.
    #[prost(fixed64, tag = "1")]
    pub epoch: u64,
    /// The position.
    #[prost(uint64, tag = "2")]
    pub offset: Offset,
    /// The lower 64 bits of the id.
    #[prost(fixed64, tag = "3")]
    pub id: u64,
    /// The upper 64 bits of the id.
    #[prost(fixed64, tag = "4")]
    pub id_above: u64,
}

/// What stands before a message that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// The head.
    pub at: Position,
    /// Its time.
    pub time: UnixMillis,
    /// What the epoch went on from.
    pub previous: Option<Position>,
    /// The number of the last message of the subject.
    pub sequence: u64,
}

impl Packed {
    /// Packs drafts that come after `before`.
    pub fn new(before: Before, now: UnixMillis, batch: u64, drafts: &[Draft]) -> Self {
        let first = before.at.offset + 1;
        // Ids of one batch differ and rise by their offsets.
        let record = |draft: &Draft| Bytes::from(record::write_draft(draft, batch));
        Self {
            epoch: before.at.epoch.bits(),
            first,
            time: now.max(before.time).0,
            batch,
            previous_epoch: before.previous.map(|previous| previous.epoch.bits()),
            previous_offset: before.previous.map_or(0, |previous| previous.offset),
            publications: drafts.iter().map(record).collect(),
            after: before.sequence,
        }
    }

    /// Reads a message; `None` if it is none.
    pub fn read(payload: Bytes) -> Option<Self> {
        Self::decode(payload).ok().filter(|packed| packed.first > 0)
    }

    /// The offset of the last publication, or of the one in front if there is none.
    pub fn last(&self) -> Offset {
        self.first + self.publications.len() as u64 - 1
    }

    /// Where it begins: what its writer knew to be before it.
    pub fn begin(&self) -> Before {
        let end = self.end(self.after);
        Before { at: Position { offset: self.first - 1, ..end.at }, ..end }
    }

    /// Where it ends, being the message of this number.
    pub fn end(&self, sequence: u64) -> Before {
        let epoch = Epoch::new(self.epoch);
        let previous = self
            .previous_epoch
            .map(|epoch| Position { epoch: Epoch::new(epoch), offset: self.previous_offset });
        let at = Position { epoch, offset: self.last() };
        Before { at, time: UnixMillis(self.time), previous, sequence }
    }

    /// The publications, in the epoch that they are read in.
    pub fn publications(&self, channel: &ChannelName, epoch: Epoch) -> Vec<Publication> {
        let read = |(offset, record): (Offset, &Bytes)| {
            let position = Position { epoch, offset };
            record::read_publication(
                channel.clone(),
                position,
                UnixMillis(self.time),
                record.clone(),
            )
        };
        (self.first..).zip(&self.publications).filter_map(read).collect()
    }
}

impl Receipt {
    /// Of a publication.
    pub fn of(publication: &Publication) -> Self {
        let Position { epoch, offset } = publication.position;
        let id = publication.id.bits();
        Self { epoch: epoch.bits(), offset, id: id as u64, id_above: (id >> 64) as u64 }
    }

    /// What is known of the publication.
    pub fn publication(&self, channel: &ChannelName) -> Publication {
        let id = u128::from(self.id_above) << 64 | u128::from(self.id);
        let id = martlet_core::model::PublicationId::from_bits(id);
        let position = Position { epoch: Epoch::new(self.epoch), offset: self.offset };
        record::receipt(channel.clone(), position, id.time(), self.id)
    }
}
