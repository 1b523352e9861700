//! What martlet keeps on a server and tells other nodes: publications and members, as Protobuf. A
//! record says nothing of where it is kept: the channel, the position and the time are beside it.
//! Nodes of neighbouring versions read each other's: fields are added, never changed.

use bytes::Bytes;
use martlet_core::model::{
    ChannelName, ClientId, Data, Draft, Position, Publication, PublicationId, Publisher, Tags,
    UnixMillis, UserId,
};
use martlet_core::presence::Member;
use prost::Message as _;

#[cfg(test)]
mod tests;

#[derive(Clone, PartialEq, prost::Message)]
struct PublicationRecord {
    /// What makes its id unlike those of the same time and offset.
    #[prost(fixed64, tag = "1")]
    unique: u64,
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

/// Writes a draft. `unique` is random.
pub fn write_draft(draft: &Draft, unique: u64) -> Vec<u8> {
    let Draft { name, reference, tags, from, data, .. } = draft;
    let record = record([name, reference], tags, from.as_ref(), data);
    PublicationRecord { unique, ..record }.encode_to_vec()
}

/// Writes a publication but for its id, which is beside it.
pub fn write_publication(publication: &Publication) -> Vec<u8> {
    let Publication { name, reference, tags, from, data, .. } = publication;
    record([name, reference], tags, from.as_ref(), data).encode_to_vec()
}

fn record(
    [name, reference]: [&Option<Box<str>>; 2],
    tags: &Tags,
    from: Option<&Publisher>,
    data: &Data,
) -> PublicationRecord {
    let (json, bytes) = match data {
        Data::Json(json) => (Some(json.clone()), None),
        Data::Bytes(bytes) => (None, Some(bytes.clone())),
    };
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    PublicationRecord {
        unique: 0,
        json,
        bytes,
        name: text(name),
        reference: text(reference),
        tags: tags.iter().flat_map(|(name, value)| [&**name, value]).map(str::to_owned).collect(),
        client: from.map(|from| from.client.bits()),
        user: from.and_then(|from| Some(from.user.as_ref()?.as_str().to_owned())),
    }
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
    let mut texts = record.tags.into_iter().map(String::into_boxed_str);
    let tags = std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect();
    let user = record.user.and_then(|user| UserId::parse(&user));
    Some(Publication {
        channel,
        id: id(time, position, record.unique),
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
    unique: u64,
) -> Publication {
    Publication {
        channel,
        id: id(time, position, unique),
        position,
        time,
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        data: Data::Json(Bytes::new()),
    }
}

/// The publication that a draft has become.
pub fn publication(draft: Draft, position: Position, time: UnixMillis, unique: u64) -> Publication {
    let Draft { channel, name, reference, tags, from, data, .. } = draft;
    let id = id(time, position, unique);
    Publication { channel, id, position, time, name, reference, tags, from, data }
}

/// Ids of one channel rise, also within a millisecond.
fn id(time: UnixMillis, position: Position, unique: u64) -> PublicationId {
    PublicationId::new(time, u128::from(position.offset as u16) << 64 | u128::from(unique))
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
