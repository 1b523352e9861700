//! What martlet keeps on a server and tells other nodes: publications and members, as Protobuf. A
//! record says nothing of where it is kept: the channel, the position and the time are beside it.
//! Nodes of neighbouring versions read each other's: fields are added, never changed.

use bytes::Bytes;
use martlet_core::model::{
    ChannelName, ClientId, Data, Draft, Position, Publication, PublicationId, Publisher,
    UnixMillis, UserId,
};
use martlet_core::presence::Member;
use prost::Message as _;

#[cfg(test)]
mod tests;

/// The bits of an id beside its time.
const UNIQUE_BITS: u32 = 80;

#[derive(Clone, PartialEq, prost::Message)]
struct PublicationRecord {
    /// The lower and the upper bits of what makes its id unlike those of the same time.
    #[prost(fixed64, tag = "1")]
    unique: u64,
    #[prost(uint32, tag = "2")]
    unique_above: u32,
    #[prost(bytes = "bytes", optional, tag = "3")]
    json: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    bytes: Option<Bytes>,
    #[prost(string, optional, tag = "5")]
    name: Option<String>,
    #[prost(string, optional, tag = "6")]
    reference: Option<String>,
    /// Names and values in turn.
    #[prost(string, repeated, tag = "7")]
    tags: Vec<String>,
    #[prost(fixed64, optional, tag = "8")]
    client: Option<u64>,
    #[prost(string, optional, tag = "9")]
    user: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MemberRecord {
    #[prost(fixed64, tag = "1")]
    client: u64,
    #[prost(string, optional, tag = "2")]
    user: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    info: Option<Bytes>,
}

/// Writes a draft that gets an id with the lowest 80 bits of `unique`.
pub fn write_draft(draft: Draft, unique: u128) -> Vec<u8> {
    let Draft { name, reference, tags, from, data, .. } = draft;
    let (json, bytes) = match data {
        Data::Json(json) => (Some(json), None),
        Data::Bytes(bytes) => (None, Some(bytes)),
    };
    let record = PublicationRecord {
        unique: unique as u64,
        unique_above: (unique >> 64) as u32 & 0xffff,
        json,
        bytes,
        name: name.map(String::from),
        reference: reference.map(String::from),
        tags: tags.into_iter().flat_map(|(name, value)| [name.into(), value.into()]).collect(),
        client: from.as_ref().map(|from| from.client.bits()),
        user: from.and_then(|from| from.user).map(|user| user.as_str().to_owned()),
    };
    record.encode_to_vec()
}

/// Reads a publication; `None` if it is none.
pub fn read_publication(
    channel: ChannelName,
    position: Position,
    time: UnixMillis,
    record: Bytes,
) -> Option<Publication> {
    let record = PublicationRecord::decode(record).ok()?;
    let data = match (record.json, record.bytes) {
        (Some(json), None) => Data::Json(json),
        (None, Some(bytes)) => Data::Bytes(bytes),
        _ => return None,
    };
    let unique = u128::from(record.unique_above) << 64 | u128::from(record.unique);
    let mut texts = record.tags.into_iter().map(String::into_boxed_str);
    let tags = std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect();
    let user = record.user.and_then(|user| UserId::parse(&user));
    Some(Publication {
        channel,
        id: id(time, unique),
        position,
        time,
        name: record.name.map(Into::into),
        reference: record.reference.map(Into::into),
        tags,
        from: record.client.map(|client| Publisher { client: ClientId::new(client), user }),
        data,
    })
}

/// What is known of a publication by its receipt alone.
pub fn receipt(
    channel: ChannelName,
    position: Position,
    time: UnixMillis,
    unique: u128,
) -> Publication {
    Publication {
        channel,
        id: id(time, unique),
        position,
        time,
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        data: Data::Json(Bytes::new()),
    }
}

fn id(time: UnixMillis, unique: u128) -> PublicationId {
    PublicationId::new(time, unique & ((1 << UNIQUE_BITS) - 1))
}

/// Writes a member.
pub fn write_member(member: &Member) -> Vec<u8> {
    let Member { client, user, info } = member;
    let user = user.as_ref().map(|user| user.as_str().to_owned());
    MemberRecord { client: client.bits(), user, info: info.clone() }.encode_to_vec()
}

/// Reads a member; `None` if it is none.
pub fn read_member(record: Bytes) -> Option<Member> {
    let MemberRecord { client, user, info } = MemberRecord::decode(record).ok()?;
    let user = user.and_then(|user| UserId::parse(&user));
    Some(Member { client: ClientId::new(client), user, info })
}
