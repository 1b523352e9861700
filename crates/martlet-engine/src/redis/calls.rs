//! Questions to the store as calls of the library's functions, and the answers read back. Many of
//! one kind go by one call.

use std::sync::Arc;

use ::redis::{Cmd, Value};
use bytes::Bytes;
use martlet_core::model::{ChannelName, Draft, Epoch, NodeId, Offset, Position, UnixMillis};
use martlet_core::port::{Page, Range, Read, StoreError, StoreReply, StoreRequest, StoreTicket};
use martlet_core::presence::Member;
use martlet_core::stream::{Extent, Keep};

use super::keys::{Names, Partition};
use crate::record;

#[cfg(test)]
mod tests;

/// The most questions of one call. A call is one step of Redis, which meanwhile does nothing else:
/// this many take it a millisecond or two.
const QUESTIONS_MAX: usize = 128;

/// The same of those that read. A node that joins asks for the place of each of thousands of
/// channels, and one of these costs half of what an append does.
const READS_MAX: usize = 256;

/// A question.
pub(super) type Asked = (StoreTicket, StoreRequest);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Append,
    Read,
    Move,
    Members,
}

impl Kind {
    /// How many questions of this kind go by one call.
    fn most(self) -> usize {
        if self == Self::Read { READS_MAX } else { QUESTIONS_MAX }
    }
}

/// A call: its questions in order, and what makes the ids of drafts unique.
#[derive(Debug)]
pub(super) struct Call {
    kind: Kind,
    partition: Option<Partition>,
    asked: Vec<Asked>,
    uniques: Vec<u64>,
}

/// Makes calls of questions. With `apart`, those of one partition only go together.
pub(super) fn calls(asked: impl IntoIterator<Item = Asked>, apart: bool) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for (ticket, request) in asked {
        let kind = kind(&request);
        let partition = apart.then(|| Partition::of(request.channel()));
        let fits = |call: &&mut Call| {
            call.kind == kind && call.partition == partition && call.asked.len() < kind.most()
        };
        match calls.iter_mut().rev().find(fits) {
            Some(call) => call.asked.push((ticket, request)),
            None => {
                let asked = vec![(ticket, request)];
                calls.push(Call { kind, partition, asked, uniques: Vec::new() });
            }
        }
    }
    calls
}

fn kind(request: &StoreRequest) -> Kind {
    match request {
        StoreRequest::Append { .. } => Kind::Append,
        StoreRequest::Read(_) => Kind::Read,
        StoreRequest::Enter { .. } | StoreRequest::Exit { .. } => Kind::Move,
        StoreRequest::Members { .. } => Kind::Members,
    }
}

impl Call {
    /// The command of the call. `random` gives random bits.
    pub fn command(
        &mut self,
        names: &Names,
        node: NodeId,
        random: &mut impl FnMut() -> u64,
    ) -> Cmd {
        let mut keys: Vec<String> = Vec::new();
        let mut arguments: Vec<Vec<u8>> = Vec::new();
        let function = match self.kind {
            Kind::Append => {
                arguments.push(text(random()));
                for (_, request) in &self.asked {
                    let StoreRequest::Append { draft, keep } = request else { continue };
                    self.uniques.push(random());
                    let unique = *self.uniques.last().unwrap_or(&0);
                    append(draft, *keep, unique, names, &mut keys, &mut arguments);
                }
                "martlet_append_1"
            }
            Kind::Read => {
                arguments.push(text(random()));
                for (_, request) in &self.asked {
                    let StoreRequest::Read(asked) = request else { continue };
                    read(asked, names, &mut keys, &mut arguments);
                }
                "martlet_read_1"
            }
            Kind::Move => {
                arguments.push(node.to_string().into_bytes());
                for (_, request) in &self.asked {
                    let channel = request.channel();
                    let at = names.members_at(Partition::of(channel), node);
                    keys.extend([names.of('w', channel), names.of('l', channel), at]);
                    arguments.extend(moving(request));
                }
                "martlet_move_1"
            }
            Kind::Members => {
                arguments.push(text(node.to_string().len()));
                for (_, request) in &self.asked {
                    let StoreRequest::Members { channel, limit } = request else { continue };
                    keys.push(names.of('w', channel));
                    arguments.push(text(limit));
                }
                "martlet_members_1"
            }
        };
        let mut command = redis::cmd("FCALL");
        command.arg(function).arg(keys.len()).arg(keys).arg(arguments);
        command
    }

    /// The answers to its questions, given what the call was answered.
    pub fn answers(self, value: Value) -> Vec<(StoreTicket, StoreReply)> {
        let Self { kind, asked, uniques, .. } = self;
        let mut values = match value {
            Value::Array(values) => values.into_iter(),
            _ => Vec::new().into_iter(),
        };
        let mut uniques = uniques.into_iter();
        let answer = |(ticket, request)| {
            let reply = match (kind, request) {
                (Kind::Append, StoreRequest::Append { draft, .. }) => {
                    appended(draft, uniques.next().unwrap_or(0), values.next())
                }
                (Kind::Read, StoreRequest::Read(read)) => page(&read, values.next()),
                (Kind::Move, _) => Some(StoreReply::Done),
                (Kind::Members, _) => members(values.next()),
                _ => None,
            };
            // What cannot be read was not written by this version: nobody knows what was done.
            (ticket, reply.unwrap_or(StoreReply::Failed(StoreError::Unsure)))
        };
        asked.into_iter().map(answer).collect()
    }

    /// Its questions, if nothing came of the call.
    pub fn into_asked(self) -> Vec<Asked> {
        self.asked
    }
}

/// Answers to questions of which nothing came.
pub(super) fn failed(
    asked: impl IntoIterator<Item = Asked>,
    error: StoreError,
) -> Vec<(StoreTicket, StoreReply)> {
    asked.into_iter().map(|(ticket, _)| (ticket, StoreReply::Failed(error))).collect()
}

fn text(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn append(
    draft: &Draft,
    keep: Keep,
    unique: u64,
    names: &Names,
    keys: &mut Vec<String>,
    arguments: &mut Vec<Vec<u8>>,
) {
    let channel = &draft.channel;
    let meta = names.of('m', channel);
    let receipt = draft.idempotency_key.as_deref().map(|key| names.receipt(channel, key));
    let repeatable = if receipt.is_some() { text(unique) } else { Vec::new() };
    let receipt = receipt.unwrap_or_else(|| meta.clone());
    let seed = names.seed(Partition::of(channel));
    keys.extend([meta, names.of('s', channel), names.of('l', channel), seed, receipt]);
    arguments.extend([
        channel.as_str().as_bytes().to_vec(),
        text(keep.size),
        text(keep.age.as_millis()),
        repeatable,
        record::write_draft(draft, unique),
    ]);
}

fn read(asked: &Read, names: &Names, keys: &mut Vec<String>, arguments: &mut Vec<Vec<u8>>) {
    let Read { channel, range, limit, keep } = asked;
    let (kind, value) = match range {
        Range::After(offset) => ("a", *offset),
        Range::Since(time) => ("s", time.0),
        Range::Until(offset) => ("u", *offset),
    };
    // More than this a number in Redis cannot tell apart, and no history has.
    let value = value.min(1 << 53);
    let seed = names.seed(Partition::of(channel));
    keys.extend([names.of('m', channel), names.of('s', channel), seed]);
    arguments.extend([
        channel.as_str().as_bytes().to_vec(),
        kind.into(),
        text(value),
        text(limit),
        text(keep.size),
        text(keep.age.as_millis()),
    ]);
}

fn moving(request: &StoreRequest) -> [Vec<u8>; 4] {
    let name = request.channel().as_str().as_bytes().to_vec();
    match request {
        StoreRequest::Enter { member, .. } => {
            [name, "J".into(), text(member.client), record::write_member(member)]
        }
        StoreRequest::Exit { client, .. } => [name, "L".into(), text(client), Vec::new()],
        _ => [name, Vec::new(), Vec::new(), Vec::new()],
    }
}

/// A place as the library writes it: epoch, offset, time, and perhaps more.
struct Place {
    position: Position,
    time: UnixMillis,
}

fn place<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Place> {
    let mut number = || words.next()?.parse::<u64>().ok();
    let position = Position { epoch: Epoch::new(number()?), offset: number()? };
    Some(Place { position, time: UnixMillis(number()?) })
}

fn appended(draft: Draft, unique: u64, value: Option<Value>) -> Option<StoreReply> {
    let Some(Value::BulkString(bytes)) = value else { return None };
    let mut words = std::str::from_utf8(&bytes).ok()?.split(' ');
    let Place { position, time } = place(&mut words)?;
    let first = words.next().map(|first| first.parse::<u64>().ok());
    let publication = match first {
        // The call may have been this one, sent again by the network: it is not a repeat then.
        None => record::publication(draft, position, time, unique),
        Some(first) => record::receipt(draft.channel, position, time, first?),
    };
    let duplicate = first.is_some();
    Some(StoreReply::Appended { publication: Arc::new(publication), duplicate })
}

fn page(read: &Read, value: Option<Value>) -> Option<StoreReply> {
    let Some(Value::Array(values)) = value else { return None };
    let mut values = values.into_iter().map(|value| match value {
        Value::BulkString(bytes) => Some(Bytes::from(bytes)),
        _ => None,
    });
    let header = values.next()??;
    let (extent, before) = header_of(std::str::from_utf8(&header).ok()?, read.keep)?;
    let mut publications = Vec::new();
    while let Some(id) = values.next() {
        let (offset, time) = id_of(std::str::from_utf8(&id?).ok()?)?;
        let position = Position { epoch: extent.head.epoch, offset };
        let read = record::read_publication(read.channel.clone(), position, time, values.next()??);
        publications.push(Arc::new(read?));
    }
    let before = match read.range {
        Range::After(offset) | Range::Until(offset) => offset,
        Range::Since(_) => before,
    };
    Some(StoreReply::Page(Page { extent, before, publications }))
}

/// "epoch newest oldest before previous-epoch previous-offset", of which the last two may be "-".
fn header_of(header: &str, keep: Keep) -> Option<(Extent, Offset)> {
    let mut words = header.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let head = Position { epoch: Epoch::new(number()?), offset: number()? };
    let (first, before) = (number()?, number()?);
    let previous = number().zip(number());
    let previous = previous.map(|(epoch, offset)| Position { epoch: Epoch::new(epoch), offset });
    Some((Extent { head, first, kept: keep.size > 0, previous }, before))
}

fn id_of(id: &str) -> Option<(Offset, UnixMillis)> {
    let (offset, time) = id.split_once('-')?;
    Some((offset.parse().ok()?, UnixMillis(time.parse().ok()?)))
}

fn members(value: Option<Value>) -> Option<StoreReply> {
    let Some(Value::Array(values)) = value else { return None };
    let mut values = values.into_iter();
    let Some(Value::Int(count)) = values.next() else { return None };
    let members = values.filter_map(|value| match value {
        Value::BulkString(bytes) => record::read_member(bytes.into()),
        _ => None,
    });
    let mut members: Vec<Member> = members.collect();
    members.sort_by_key(|member| member.client);
    Some(StoreReply::Members { members, count: usize::try_from(count).ok()? })
}

/// What is told by the channel of Redis that belongs to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// Somebody published.
    Publication(martlet_core::model::Publication),
    /// Somebody came.
    Join(Member),
    /// Somebody went.
    Leave(Member),
}

/// Reads what is told of a channel; `None` if no version of martlet that is known wrote it.
pub(super) fn message_of(channel: ChannelName, message: Bytes) -> Option<Message> {
    let rest = message.slice(1.min(message.len())..);
    match message.first()? {
        b'P' => {
            let end = rest.iter().enumerate().filter(|(_, byte)| **byte == b' ').nth(2)?.0;
            let mut words = std::str::from_utf8(&rest[..end]).ok()?.split(' ');
            let Place { position, time } = place(&mut words)?;
            let record = rest.slice(end + 1..);
            record::read_publication(channel, position, time, record).map(Message::Publication)
        }
        b'J' => record::read_member(rest).map(Message::Join),
        b'L' => record::read_member(rest).map(Message::Leave),
        _ => None,
    }
}
