//! Commands, read from JSON.

use std::borrow::Cow;
use std::fmt;

use martlet_core::model::{ChannelName, Code, Data, Draft, Limits, SessionKey, Tags};
use martlet_core::session::{Command, Connect, History, Numbered, Refresh, Start, Subscribe};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::envelope::{self, Envelope, Id, Word, Words};
use crate::error::clip;
use crate::native::check::{self, malformed};
use crate::{FrameError, Refused};

/// The names of the commands.
pub const COMMANDS: &[&str] = &[
    "connect",
    "subscribe",
    "unsubscribe",
    "publish",
    "history",
    "presence",
    "ping",
    "pong",
    "refresh",
];

pub(super) struct Commands;

impl Words for Commands {
    const ALL: &'static [&'static str] = COMMANDS;
}

/// Reads a frame of commands, in order, into `sink`.
///
/// The frame is read whole before any of it is handed over: when it is no sequence of JSON
/// objects, nothing of it is done. When it has more commands than the limit, they are refused
/// together. Otherwise every command is good or refused by itself.
pub fn decode(
    frame: &[u8],
    limits: &Limits,
    mut sink: impl FnMut(Result<Numbered, Refused>),
) -> Result<(), FrameError> {
    let most = limits.commands_per_frame;
    let envelopes = envelope::read::<Commands>(frame, most)?;
    if envelopes.len() > most {
        sink(Err(check::too_many_commands(limits)));
        return Ok(());
    }
    for envelope in envelopes {
        sink(numbered(envelope, limits));
    }
    Ok(())
}

/// Reads a publication to be made, written as the value of `publish` is.
pub fn decode_draft(body: &[u8], limits: &Limits) -> Result<Draft, Refused> {
    let raw = serde_json::from_slice(body).map_err(unreadable)?;
    draft(raw, limits)
}

fn numbered(envelope: Envelope<'_, Commands>, limits: &Limits) -> Result<Numbered, Refused> {
    let id = match envelope.id {
        Id::Absent => 0,
        Id::Number(id) => id,
        Id::Unreadable => return Err(malformed("id is a whole number from 1 to 4294967295")),
    };
    let command = command(envelope.word, limits);
    command.map(|command| Numbered { id, command }).map_err(|refused| Refused { id, ..refused })
}

fn command(word: Word<'_>, limits: &Limits) -> Result<Command, Refused> {
    let (name, raw) = match word {
        Word::One(name, raw) => (name, raw),
        Word::None => return Err(malformed("the object names no command")),
        Word::Several => return Err(malformed("the object names more than one command")),
        Word::Unknown(name) => {
            return Err(Refused::because(Code::UnknownCommand, format!("{:?}", clip(&name))));
        }
    };
    Ok(match name {
        "connect" => Command::Connect(connect(raw, limits)?),
        "subscribe" => Command::Subscribe(subscribe(raw, limits)?),
        "unsubscribe" => Command::Unsubscribe(unsubscribe(raw, limits)?),
        "publish" => Command::Publish(draft(raw, limits)?),
        "history" => Command::History(history(raw, limits)?),
        "presence" => {
            let ChannelBody { channel } = object(raw)?;
            Command::Presence(check::channel(&channel)?)
        }
        "ping" => object::<EmptyBody>(raw).map(|_| Command::Ping)?,
        "pong" => object::<EmptyBody>(raw).map(|_| Command::Pong)?,
        _ => Command::Refresh(refresh(raw)?),
    })
}

#[derive(Deserialize)]
struct EmptyBody {}

#[derive(Deserialize)]
struct ChannelBody<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ConnectBody<'a> {
    token: Option<Box<str>>,
    grant: Option<Box<str>>,
    session: Option<Box<str>>,
    agent: Option<Box<str>>,
    #[serde(borrow)]
    subscribe: Option<&'a RawValue>,
}

fn connect(raw: &RawValue, limits: &Limits) -> Result<Connect, Refused> {
    let body: ConnectBody<'_> = object(raw)?;
    let subscribe = match body.subscribe {
        Some(raw) => subscriptions(raw, limits)?,
        None => Vec::new(),
    };
    Ok(Connect {
        token: body.token,
        grant: body.grant,
        // What is no key of ours is no session of ours: the client gets a new one.
        session: body.session.and_then(|key| SessionKey::parse(&key)),
        agent: body.agent.map(|agent| check::agent(&agent, limits)),
        subscribe,
        ..Connect::default()
    })
}

#[derive(Deserialize)]
struct SubscribeBody<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    token: Option<Box<str>>,
    #[serde(borrow)]
    epoch: Option<Cow<'a, str>>,
    offset: Option<u64>,
    since: Option<u64>,
}

fn subscribe(raw: &RawValue, limits: &Limits) -> Result<Vec<Subscribe>, Refused> {
    let subscriptions = subscriptions(raw, limits)?;
    check::some_channels(subscriptions.len(), limits)?;
    Ok(subscriptions)
}

fn subscriptions(raw: &RawValue, limits: &Limits) -> Result<Vec<Subscribe>, Refused> {
    let list = list(raw)?;
    check::channel_count(list.len(), limits)?;
    list.into_iter().map(subscription).collect()
}

fn subscription(raw: &RawValue) -> Result<Subscribe, Refused> {
    let body: SubscribeBody<'_> = object(raw)?;
    let channel = check::channel(&body.channel)?;
    let start = check::start(body.epoch.as_deref(), body.offset, body.since)
        .map_err(|refused| refused.about(&channel))?;
    Ok(Subscribe { channel, token: body.token, start: start.unwrap_or(Start::Now) })
}

fn unsubscribe(raw: &RawValue, limits: &Limits) -> Result<Vec<ChannelName>, Refused> {
    let list = list(raw)?;
    check::some_channels(list.len(), limits)?;
    list.into_iter().map(|raw| check::channel(&parse::<Text<'_>>(raw)?.0)).collect()
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct DraftBody<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    name: Option<Box<str>>,
    #[serde(rename = "ref")]
    reference: Option<Box<str>>,
    #[serde(default)]
    tags: TagsBody,
    key: Option<Box<str>>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes: Option<Cow<'a, str>>,
}

/// `"data":null` is data, the publication of a null; an absent field is none.
pub(super) fn even_null<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// Reads a publication to be made from JSON text that is known to be sound.
pub fn draft(raw: &RawValue, limits: &Limits) -> Result<Draft, Refused> {
    let body: DraftBody<'_> = object(raw)?;
    let channel = check::channel(&body.channel)?;
    draft_in(&channel, body, limits).map_err(|refused| refused.about(&channel))
}

fn draft_in(channel: &ChannelName, body: DraftBody<'_>, limits: &Limits) -> Result<Draft, Refused> {
    Ok(Draft {
        channel: channel.clone(),
        name: check::label("name", body.name, limits)?,
        reference: check::label("ref", body.reference, limits)?,
        tags: check::tags(body.tags.0, limits)?,
        from: None,
        idempotency_key: check::label("key", body.key, limits)?,
        data: data(body.data, body.bytes.as_deref(), limits)?,
    })
}

fn data(json: Option<&RawValue>, base64: Option<&str>, limits: &Limits) -> Result<Data, Refused> {
    match (json, base64) {
        (Some(json), None) => check::json(json.get(), limits),
        (None, Some(base64)) => check::base64(base64, limits),
        _ => Err(Refused::because(Code::DataInvalid, "give data or bytes")),
    }
}

#[derive(Deserialize)]
struct HistoryBody<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    epoch: Option<Cow<'a, str>>,
    offset: Option<u64>,
    since: Option<u64>,
    limit: Option<usize>,
    #[serde(default)]
    reverse: bool,
}

fn history(raw: &RawValue, limits: &Limits) -> Result<History, Refused> {
    let body: HistoryBody<'_> = object(raw)?;
    let channel = check::channel(&body.channel)?;
    let start = check::start(body.epoch.as_deref(), body.offset, body.since)
        .map_err(|refused| refused.about(&channel))?;
    let limit = body.limit.unwrap_or(limits.history_page);
    Ok(History { channel, start, limit, reverse: body.reverse })
}

#[derive(Deserialize)]
struct RefreshBody<'a> {
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    token: Box<str>,
}

fn refresh(raw: &RawValue) -> Result<Refresh, Refused> {
    let body: RefreshBody<'_> = object(raw)?;
    let channel = body.channel.as_deref().map(check::channel).transpose()?;
    Ok(Refresh { channel, token: body.token })
}

/// Tags in the order they were written.
#[derive(Default)]
pub(super) struct TagsBody(pub(super) Tags);

impl<'de> Deserialize<'de> for TagsBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TagsVisitor)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = TagsBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<TagsBody, M::Error> {
        let mut tags = Tags::new();
        while let Some(tag) = map.next_entry()? {
            tags.push(tag);
        }
        Ok(TagsBody(tags))
    }
}

/// Reads an object. Lists, which serde would take for one too, are not objects.
pub(super) fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Refused> {
    if !raw.get().starts_with('{') {
        return Err(malformed("an object is expected"));
    }
    parse(raw)
}

fn list(raw: &RawValue) -> Result<Vec<&RawValue>, Refused> {
    parse(raw)
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Refused> {
    serde_json::from_str(raw.get()).map_err(unreadable)
}

/// The reader's words without the line and column, which count from the value's beginning and
/// would mislead.
fn unreadable(error: serde_json::Error) -> Refused {
    let text = error.to_string();
    malformed(text.split(" at line ").next().unwrap_or(&text))
}
