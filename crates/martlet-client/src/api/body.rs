//! The bodies of the backend API. What an answer has in common with the protocol's events is read
//! by the protocol's codec.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use martlet_core::model::{Appended, ChannelName, Data, Draft, Epoch, Position};
use martlet_core::session::Event;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::codec;
use crate::error::Error;
use crate::http::refused;
use crate::options::Wire;

/// A channel that the server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its name.
    pub channel: ChannelName,
    /// Its newest position.
    pub position: Position,
    /// How many follow it.
    pub subscribers: u64,
    /// How many are in it.
    pub members: u64,
}

/// Channels that the server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// The channels, by name.
    pub channels: Vec<ChannelInfo>,
    /// Whether there are more.
    pub more: bool,
}

#[derive(Serialize)]
struct PublishBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: Tags<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

/// Tags as one object.
struct Tags<'a>(&'a [(Box<str>, Box<str>)]);

impl Tags<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn body_of(draft: &Draft) -> Result<PublishBody<'_>, Error> {
    let (data, bytes) = match &draft.data {
        Data::Json(json) => {
            let raw = serde_json::from_slice(json).map_err(|error| Error::Data(error.to_string()));
            (Some(raw?), None)
        }
        Data::Bytes(bytes) => (None, Some(STANDARD.encode(bytes))),
    };
    Ok(PublishBody {
        channel: Some(draft.channel.as_str()),
        channels: None,
        data,
        bytes,
        name: draft.name.as_deref(),
        reference: draft.reference.as_deref(),
        tags: Tags(&draft.tags),
        key: draft.idempotency_key.as_deref(),
    })
}

fn written(body: &impl Serialize) -> Result<Bytes, Error> {
    let written = serde_json::to_vec(body).map_err(|error| Error::Data(error.to_string()))?;
    Ok(written.into())
}

/// The body of `publish`.
pub fn publish(draft: &Draft) -> Result<Bytes, Error> {
    written(&body_of(draft)?)
}

/// The body of `broadcast`.
pub fn broadcast(channels: &[ChannelName], draft: &Draft) -> Result<Bytes, Error> {
    let channels = Some(channels.iter().map(ChannelName::as_str).collect());
    written(&PublishBody { channel: None, channels, ..body_of(draft)? })
}

/// The body of `batch`.
pub fn batch(drafts: &[Draft]) -> Result<Bytes, Error> {
    #[derive(Serialize)]
    struct Batch<'a> {
        publish: Vec<PublishBody<'a>>,
    }
    written(&Batch { publish: drafts.iter().map(body_of).collect::<Result<_, _>>()? })
}

fn foreign(error: impl ToString) -> Error {
    Error::Foreign(error.to_string())
}

/// An answer whose body is the body of the event `word`.
pub fn event(word: &str, body: &[u8]) -> Result<Event, Error> {
    let body: &RawValue = serde_json::from_slice(body).map_err(foreign)?;
    // Between objects a line feed parts events; between tokens a space means the same.
    let body = body.get().replace(['\r', '\n'], " ");
    let frame = format!("{{\"{word}\":{body}}}");
    let answers = codec::decode(Wire::Json, frame.as_bytes()).map_err(foreign)?;
    let event = answers.into_iter().next().map(|answer| answer.event);
    event.ok_or_else(|| foreign("the answer is empty"))
}

/// The answer of `publish`.
pub fn published(body: &[u8]) -> Result<Appended, Error> {
    match event("published", body)? {
        Event::Published { appended, .. } => Ok(appended),
        _ => Err(foreign("it is no receipt")),
    }
}

/// The answer of `broadcast` and `batch`, for `count` messages.
pub fn results(body: &[u8], count: usize) -> Result<Vec<Result<Appended, Error>>, Error> {
    #[derive(Deserialize)]
    struct Results<'a> {
        #[serde(borrow)]
        results: Vec<&'a RawValue>,
    }
    let Results { results } = serde_json::from_slice(body).map_err(foreign)?;
    if results.len() != count {
        return Err(foreign(format!("{} results for {count} messages", results.len())));
    }
    results.into_iter().map(result).collect()
}

fn result(raw: &RawValue) -> Result<Result<Appended, Error>, Error> {
    #[derive(Deserialize)]
    struct Failed<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    let failed: Failed<'_> = serde_json::from_str(raw.get()).map_err(foreign)?;
    match failed.error {
        None => published(raw.get().as_bytes()).map(Ok),
        Some(error) => {
            let refused = refused(error.get().as_bytes());
            Ok(Err(refused.ok_or_else(|| foreign("an error without a code"))?.into()))
        }
    }
}

/// The answer of `channels`.
pub fn channels(body: &[u8]) -> Result<Channels, Error> {
    #[derive(Deserialize)]
    struct One {
        channel: String,
        epoch: String,
        offset: u64,
        #[serde(default)]
        subscribers: u64,
        #[serde(default)]
        members: u64,
    }
    #[derive(Deserialize)]
    struct All {
        channels: Vec<One>,
        #[serde(default)]
        more: bool,
    }
    let all: All = serde_json::from_slice(body).map_err(foreign)?;
    let read = |one: One| {
        let epoch = Epoch::parse(&one.epoch).ok_or_else(|| foreign("an epoch is unreadable"))?;
        Ok(ChannelInfo {
            channel: ChannelName::parse(&one.channel).map_err(foreign)?,
            position: Position { epoch, offset: one.offset },
            subscribers: one.subscribers,
            members: one.members,
        })
    };
    let channels = all.channels.into_iter().map(read).collect::<Result<_, Error>>()?;
    Ok(Channels { channels, more: all.more })
}
