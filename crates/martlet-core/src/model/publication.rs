//! A publication, the draft it is made of, and the store's receipt for it.

use bytes::Bytes;

use super::{ChannelName, ClientId, Position, PublicationId, UnixMillis, UserId};

/// Small named texts beside the data, for programs to look at without reading the data.
pub type Tags = Vec<(Box<str>, Box<str>)>;

/// What a publication carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// JSON text, checked and without line breaks, passed on as it is.
    Json(Bytes),
    /// Bytes that mean something to the application only.
    Bytes(Bytes),
}

impl Data {
    /// The size in bytes, as limits count it.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(bytes) | Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Who published: the client, and the user it acts for if it has one. A backend has neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// The publishing client.
    pub client: ClientId,
    /// Its user, unless it is anonymous.
    pub user: Option<UserId>,
}

/// What somebody wants published: everything but what the store decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Where to.
    pub channel: ChannelName,
    /// The event name, for `event:` of SSE and for applications that sort by it.
    pub name: Option<Box<str>>,
    /// The publisher's own mark, given back in the publication.
    pub reference: Option<Box<str>>,
    /// Small named texts beside the data.
    pub tags: Tags,
    /// Who publishes; `None` is the backend.
    pub from: Option<Publisher>,
    /// A second draft with the same key publishes nothing and gets the first one's receipt.
    pub idempotency_key: Option<Box<str>>,
    /// The message itself.
    pub data: Data,
}

/// One message in a channel. Immutable; shared by everyone who gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The channel it is in.
    pub channel: ChannelName,
    /// Unique, and sortable by time.
    pub id: PublicationId,
    /// Its place: the epoch of the history and its own offset.
    pub position: Position,
    /// When the store took it.
    pub time: UnixMillis,
    /// The event name.
    pub name: Option<Box<str>>,
    /// The publisher's own mark (`ref` on the wire).
    pub reference: Option<Box<str>>,
    /// Small named texts beside the data.
    pub tags: Tags,
    /// Who published; `None` is the backend.
    pub from: Option<Publisher>,
    /// The message itself.
    pub data: Data,
}

/// The store's receipt for a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The publication's id.
    pub id: PublicationId,
    /// Its place.
    pub position: Position,
    /// When the store took it.
    pub time: UnixMillis,
    /// Whether an earlier draft with the same key had been published already.
    pub duplicate: bool,
}
