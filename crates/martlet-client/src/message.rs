//! A message on its way out: everything of a publication but what the server decides.

use bytes::Bytes;
use martlet_core::model::{ChannelName, Data, Draft, Tags};
use serde::Serialize;

use crate::error::Error;

/// What to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    data: Data,
    name: Option<Box<str>>,
    reference: Option<Box<str>>,
    tags: Tags,
    key: Option<Box<str>>,
}

impl Message {
    /// A message whose data is `value` as JSON.
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let text = serde_json::to_vec(value).map_err(|error| Error::Data(error.to_string()))?;
        Ok(Self::of(Data::Json(text.into())))
    }

    /// A message whose data is the JSON in `text`, as it stands there.
    pub fn raw_json(text: &str) -> Result<Self, Error> {
        let parsed: Result<&serde_json::value::RawValue, _> = serde_json::from_str(text);
        let raw = parsed.map_err(|error| Error::Data(error.to_string()))?;
        // A line feed separates commands of a frame; between tokens a space means the same.
        let text = raw.get().replace(['\r', '\n'], " ");
        Ok(Self::of(Data::Json(text.into())))
    }

    /// A message whose data is bytes that mean something to the application only.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::of(Data::Bytes(bytes.into()))
    }

    fn of(data: Data) -> Self {
        Self { data, name: None, reference: None, tags: Tags::new(), key: None }
    }

    /// With an event name.
    pub fn name(self, name: impl Into<Box<str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// With the publisher's own mark, which comes back in the publication.
    pub fn reference(self, reference: impl Into<Box<str>>) -> Self {
        Self { reference: Some(reference.into()), ..self }
    }

    /// With one more tag.
    pub fn tag(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.tags.push((name.into(), value.into()));
        self
    }

    /// With an idempotency key: within five minutes a second message of the same key publishes
    /// nothing and gets the first one's receipt.
    pub fn key(self, key: impl Into<Box<str>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Whether it has an idempotency key.
    pub(crate) fn keyed(&self) -> bool {
        self.key.is_some()
    }

    /// About how many bytes it keeps while it waits.
    pub(crate) fn size(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.data.len() + tags + 128
    }

    /// The draft of it for `channel`.
    pub(crate) fn draft(self, channel: ChannelName) -> Draft {
        Draft {
            channel,
            name: self.name,
            reference: self.reference,
            tags: self.tags,
            from: None,
            idempotency_key: self.key,
            data: self.data,
        }
    }
}

/// A text that no other client has, to make idempotency keys of.
pub fn unique() -> Result<String, Error> {
    crate::client::random().map(|random| format!("{random:032x}"))
}
