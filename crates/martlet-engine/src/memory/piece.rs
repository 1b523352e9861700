//! The pieces in which a memory store goes to another process, as Protobuf. Both ends may be of
//! different versions: fields are added, never changed.

use bytes::Bytes;

/// A piece: some of what a store keeps.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Piece {
    #[prost(message, repeated, tag = "1")]
    pub channels: Vec<Part>,
    #[prost(message, repeated, tag = "2")]
    pub receipts: Vec<Receipt>,
    /// In the last piece of a store.
    #[prost(message, optional, tag = "3")]
    pub end: Option<End>,
}

/// A channel, with some of its history. A long history takes several.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Part {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(fixed64, tag = "2")]
    pub epoch: u64,
    #[prost(uint64, tag = "3")]
    pub head: u64,
    /// How long it keeps what it has, in milliseconds.
    #[prost(uint64, tag = "4")]
    pub age: u64,
    /// The offset of the first publication here; the others follow it one by one.
    #[prost(uint64, tag = "5")]
    pub first: u64,
    #[prost(message, repeated, tag = "6")]
    pub kept: Vec<Kept>,
}

/// A publication.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Kept {
    #[prost(bytes = "bytes", tag = "1")]
    pub record: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub id: Bytes,
    #[prost(fixed64, tag = "3")]
    pub time: u64,
}

/// An idempotency key, and what was published under it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Receipt {
    #[prost(string, tag = "1")]
    pub channel: String,
    #[prost(string, tag = "2")]
    pub key: String,
    /// For how long it is good, in microseconds.
    #[prost(uint64, tag = "3")]
    pub left: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub id: Bytes,
    #[prost(fixed64, tag = "5")]
    pub epoch: u64,
    #[prost(uint64, tag = "6")]
    pub offset: u64,
    #[prost(fixed64, tag = "7")]
    pub time: u64,
}

/// What concerns the whole store, and how much there was of everything, so that nothing is missed
/// without being noticed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct End {
    #[prost(uint64, tag = "1")]
    pub channels: u64,
    #[prost(uint64, tag = "2")]
    pub publications: u64,
    #[prost(uint64, tag = "3")]
    pub receipts: u64,
    /// The time of the newest id.
    #[prost(fixed64, tag = "4")]
    pub last: u64,
    #[prost(message, repeated, tag = "5")]
    pub forgotten: Vec<Forgotten>,
}

/// How often channels of a slot were forgotten.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Forgotten {
    #[prost(uint32, tag = "1")]
    pub slot: u32,
    #[prost(uint64, tag = "2")]
    pub times: u64,
}
