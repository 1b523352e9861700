//! The inside of each event, as JSON has it, and how it becomes an event of `martlet-core`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use martlet_core::model::{self, Appended, ChannelName, Data, GapReason, UnixMillis};
use martlet_core::session::{self, Event, HistoryPage};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::command::TagsBody;
use crate::FrameError;
use crate::native::said;
use crate::native::word::{self, Read};

/// The value of one kind of event.
pub(super) trait Body<'a>: Deserialize<'a> {
    /// The event it stands for.
    fn event(self) -> Read<Event>;
}

type Text<'a> = Cow<'a, str>;

#[derive(Deserialize)]
pub(super) struct Connected<'a> {
    #[serde(borrow)]
    client: Text<'a>,
    #[serde(borrow)]
    session: Text<'a>,
    user: Option<Text<'a>>,
    resumed: bool,
    grant: Box<str>,
    expires: Option<u64>,
    ping: u64,
    pong: u64,
    time: u64,
    frame_bytes: usize,
}

impl<'a> Body<'a> for Connected<'a> {
    fn event(self) -> Read<Event> {
        Ok(Event::Connected(Box::new(session::Connected {
            client: word::client(&self.client)?,
            session: word::session(&self.session)?,
            user: word::user(self.user.as_deref())?,
            resumed: self.resumed,
            grant: self.grant,
            expires: self.expires.map(UnixMillis),
            ping: Duration::from_millis(self.ping),
            pong: Duration::from_millis(self.pong),
            time: UnixMillis(self.time),
            frame_bytes: self.frame_bytes,
        })))
    }
}

#[derive(Deserialize)]
pub(super) struct Subscribed<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    epoch: Text<'a>,
    offset: u64,
    head: u64,
    recovered: bool,
}

impl<'a> Body<'a> for Subscribed<'a> {
    fn event(self) -> Read<Event> {
        Ok(Event::Subscribed(session::Subscribed {
            channel: word::channel(&self.channel)?,
            position: word::position(&self.epoch, self.offset)?,
            head: self.head,
            recovered: self.recovered,
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct Unsubscribed<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    code: Option<u32>,
    message: Option<Text<'a>>,
}

impl<'a> Body<'a> for Unsubscribed<'a> {
    fn event(self) -> Read<Event> {
        let message = self.message.as_deref().unwrap_or_default();
        Ok(Event::Unsubscribed {
            channel: word::channel(&self.channel)?,
            why: self.code.map(|code| said::refusal(code, message, false, None)),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Published<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    epoch: Text<'a>,
    offset: u64,
    time: u64,
    #[serde(default)]
    duplicate: bool,
}

impl<'a> Body<'a> for Published<'a> {
    fn event(self) -> Read<Event> {
        let appended = Appended {
            id: word::id(&self.id)?,
            position: word::position(&self.epoch, self.offset)?,
            time: UnixMillis(self.time),
            duplicate: self.duplicate,
        };
        Ok(Event::Published { channel: word::channel(&self.channel)?, appended })
    }
}

#[derive(Deserialize)]
pub(super) struct Publication<'a> {
    #[serde(borrow, default)]
    channel: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    epoch: Text<'a>,
    offset: u64,
    time: u64,
    name: Option<Box<str>>,
    #[serde(rename = "ref")]
    reference: Option<Box<str>>,
    #[serde(default)]
    tags: TagsBody,
    from: Option<Sender<'a>>,
    #[serde(borrow, default, deserialize_with = "super::super::command::even_null")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Sender<'a> {
    #[serde(borrow)]
    client: Text<'a>,
    user: Option<Text<'a>>,
}

impl<'a> Body<'a> for Publication<'a> {
    fn event(self) -> Read<Event> {
        let channel = word::channel(&self.channel)?;
        self.publication(channel).map(Event::Publication)
    }
}

impl Publication<'_> {
    fn publication(self, channel: ChannelName) -> Read<Arc<model::Publication>> {
        let from = self.from.map(|from| word::publisher(&from.client, from.user.as_deref()));
        Ok(Arc::new(model::Publication {
            channel,
            id: word::id(&self.id)?,
            position: word::position(&self.epoch, self.offset)?,
            time: UnixMillis(self.time),
            name: self.name,
            reference: self.reference,
            tags: self.tags.0,
            from: from.transpose()?,
            data: data(self.data, self.bytes.as_deref())?,
        }))
    }
}

fn data(json: Option<&RawValue>, base64: Option<&str>) -> Read<Data> {
    match (json, base64) {
        (Some(json), None) => Ok(Data::Json(copied(json))),
        (None, Some(base64)) => match STANDARD.decode(base64) {
            Ok(bytes) => Ok(Data::Bytes(bytes.into())),
            Err(error) => Err(FrameError::new(format!("bytes is not base64: {error}"))),
        },
        _ => Err(FrameError::new("a publication has data or bytes")),
    }
}

fn copied(json: &RawValue) -> Bytes {
    Bytes::copy_from_slice(json.get().as_bytes())
}

#[derive(Deserialize)]
pub(super) struct History<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    epoch: Text<'a>,
    offset: u64,
    #[serde(borrow)]
    publications: Vec<Publication<'a>>,
    more: bool,
}

impl<'a> Body<'a> for History<'a> {
    fn event(self) -> Read<Event> {
        let channel = word::channel(&self.channel)?;
        let publications = self.publications.into_iter();
        Ok(Event::History(HistoryPage {
            publications: publications
                .map(|publication| publication.publication(channel.clone()))
                .collect::<Read<_>>()?,
            head: word::position(&self.epoch, self.offset)?,
            more: self.more,
            channel,
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct Presence<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    members: Vec<Member<'a>>,
    count: usize,
}

#[derive(Deserialize)]
struct Member<'a> {
    #[serde(borrow)]
    client: Text<'a>,
    user: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "super::super::command::even_null")]
    info: Option<&'a RawValue>,
}

impl Member<'_> {
    fn member(self) -> Read<session::Member> {
        word::member(&self.client, self.user.as_deref(), self.info.map(copied))
    }
}

impl<'a> Body<'a> for Presence<'a> {
    fn event(self) -> Read<Event> {
        let members = self.members.into_iter().map(Member::member).collect::<Read<_>>()?;
        Ok(Event::Presence { channel: word::channel(&self.channel)?, members, count: self.count })
    }
}

#[derive(Deserialize)]
pub(super) struct Join<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    client: Text<'a>,
    user: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "super::super::command::even_null")]
    info: Option<&'a RawValue>,
}

impl Join<'_> {
    fn moved(self) -> Read<(ChannelName, session::Member)> {
        let member = word::member(&self.client, self.user.as_deref(), self.info.map(copied))?;
        Ok((word::channel(&self.channel)?, member))
    }
}

impl<'a> Body<'a> for Join<'a> {
    fn event(self) -> Read<Event> {
        self.moved().map(|(channel, member)| Event::Join { channel, member })
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Leave<'a>(#[serde(borrow)] Join<'a>);

impl<'a> Body<'a> for Leave<'a> {
    fn event(self) -> Read<Event> {
        self.0.moved().map(|(channel, member)| Event::Leave { channel, member })
    }
}

#[derive(Deserialize)]
pub(super) struct Gap<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    from: u64,
    to: Option<u64>,
    #[serde(borrow)]
    reason: Text<'a>,
    #[serde(borrow)]
    epoch: Text<'a>,
    offset: u64,
}

impl<'a> Body<'a> for Gap<'a> {
    fn event(self) -> Read<Event> {
        let reason = GapReason::parse(&self.reason);
        Ok(Event::Gap(model::Gap {
            channel: word::channel(&self.channel)?,
            from: self.from,
            to: self.to,
            reason: reason.ok_or_else(|| word::not("reason", &self.reason))?,
            resume: word::position(&self.epoch, self.offset)?,
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct Lagged<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    offset: u64,
    head: u64,
}

impl<'a> Body<'a> for Lagged<'a> {
    fn event(self) -> Read<Event> {
        let channel = word::channel(&self.channel)?;
        Ok(Event::Lagged { channel, offset: self.offset, head: self.head })
    }
}

#[derive(Deserialize)]
pub(super) struct Ping {}

impl Body<'_> for Ping {
    fn event(self) -> Read<Event> {
        Ok(Event::Ping)
    }
}

#[derive(Deserialize)]
pub(super) struct Pong {
    time: u64,
}

impl Body<'_> for Pong {
    fn event(self) -> Read<Event> {
        Ok(Event::Pong { time: UnixMillis(self.time) })
    }
}

#[derive(Deserialize)]
pub(super) struct Refreshed<'a> {
    channel: Option<Text<'a>>,
    expires: Option<u64>,
}

impl<'a> Body<'a> for Refreshed<'a> {
    fn event(self) -> Read<Event> {
        let channel = self.channel.as_deref().map(word::channel).transpose()?;
        Ok(Event::Refreshed { channel, expires: self.expires.map(UnixMillis) })
    }
}

#[derive(Deserialize)]
pub(super) struct Grant {
    grant: Box<str>,
    expires: u64,
}

impl Body<'_> for Grant {
    fn event(self) -> Read<Event> {
        Ok(Event::Grant { grant: self.grant, expires: UnixMillis(self.expires) })
    }
}

#[derive(Deserialize)]
pub(super) struct Error<'a> {
    code: u32,
    #[serde(borrow)]
    message: Text<'a>,
    channel: Option<Text<'a>>,
    temporary: bool,
    after: Option<u64>,
}

impl<'a> Body<'a> for Error<'a> {
    fn event(self) -> Read<Event> {
        let channel = self.channel.as_deref().map(word::channel).transpose()?;
        let refusal = said::refusal(self.code, &self.message, self.temporary, self.after);
        Ok(Event::Refused { channel, refusal })
    }
}

#[derive(Deserialize)]
pub(super) struct Close<'a> {
    code: u32,
    #[serde(borrow)]
    message: Text<'a>,
    reconnect: bool,
    after: Option<u64>,
    node: Option<Box<str>>,
}

impl<'a> Body<'a> for Close<'a> {
    fn event(self) -> Read<Event> {
        let Self { code, message, reconnect, after, node } = self;
        let close = said::close(code, &message, reconnect, after, node);
        Ok(Event::Closing(close))
    }
}
