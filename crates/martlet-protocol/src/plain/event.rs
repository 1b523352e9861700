//! Events and publications as a plain reader sees them: an id, a name and a line of data.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use martlet_core::model::{Cursor, Data, Publication};
use martlet_core::session::Event;

use crate::native::json::{
    close_object, gap_object, lagged_object, publication_object, refusal_object,
};

/// Names that a plain stream or the browser's `EventSource` keeps for itself. A publication with
/// such a name comes without it: nobody can make a reader believe that its stream has a gap or
/// has ended.
const RESERVED: &[&str] = &["gap", "lagged", "close", "error", "open"];

/// What is added to the wait that an `EventSource` is advised. It keeps the last that it was told for
/// all further tries, however often they fail, so that advice to come back at once would be advice
/// to try without a pause for as long as nobody answers. Added, so that those who are told different
/// times still come at different times.
const RETRY_MORE: Duration = Duration::from_millis(250);

/// One event of a plain stream. Nothing in it has a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainEvent<'a> {
    /// What it is: `publication`, `gap`, `lagged`, `error` or `close`.
    pub kind: &'static str,
    /// The cursor to come back with after this event.
    pub id: Option<String>,
    /// The event's name; `None` is what a browser calls `message`.
    pub event: Option<Cow<'a, str>>,
    /// The data.
    pub data: Cow<'a, [u8]>,
    /// How long an `EventSource` is to wait before it comes back.
    pub retry: Option<Duration>,
}

impl<'a> PlainEvent<'a> {
    /// A publication, without its id. With `envelope` the data is the whole publication as the
    /// native protocol writes it, else only what was published.
    pub fn publication(publication: &'a Publication, envelope: bool) -> Self {
        let name = publication.name.as_deref().filter(|name| !RESERVED.contains(name));
        let name = name.map(Cow::Borrowed);
        if envelope {
            let mut data = Vec::new();
            publication_object(publication, true, &mut data);
            return Self::new(name, Cow::Owned(data));
        }
        match &publication.data {
            Data::Json(json) => Self::new(name, Cow::Borrowed(json)),
            Data::Bytes(bytes) => {
                let name = name.unwrap_or(Cow::Borrowed("bytes"));
                Self::new(Some(name), Cow::Owned(STANDARD.encode(bytes).into_bytes()))
            }
        }
    }

    /// An event, without its id; `None` for what a plain reader is not told.
    pub fn of(event: &'a Event, envelope: bool) -> Option<Self> {
        match event {
            Event::Publication(publication) => Some(Self::publication(publication, envelope)),
            Event::Gap(gap) => Some(Self::written("gap", |data| gap_object(gap, data))),
            Event::Lagged { channel, offset, head } => {
                Some(Self::written("lagged", |data| lagged_object(channel, *offset, *head, data)))
            }
            Event::Refused { channel, refusal } => Some(Self::written("error", |data| {
                refusal_object(channel.as_ref(), refusal, data);
            })),
            // A plain reader cannot unsubscribe, so this is the server's doing, with a reason.
            Event::Unsubscribed { channel, why: Some(refusal) } => {
                Some(Self::written("error", |data| refusal_object(Some(channel), refusal, data)))
            }
            Event::Closing(close) => {
                let event = Self::written("close", |data| close_object(close, data));
                Some(Self { retry: close.after.map(|after| after + RETRY_MORE), ..event })
            }
            Event::Connected(_)
            | Event::Subscribed(_)
            | Event::Unsubscribed { why: None, .. }
            | Event::Published { .. }
            | Event::History(_)
            | Event::Presence { .. }
            | Event::Join { .. }
            | Event::Leave { .. }
            | Event::Ping
            | Event::Pong { .. }
            | Event::Refreshed { .. }
            | Event::Grant { .. } => None,
        }
    }

    /// The same event with an id.
    pub fn with_id(self, id: String) -> Self {
        Self { id: Some(id), ..self }
    }

    fn new(event: Option<Cow<'a, str>>, data: Cow<'a, [u8]>) -> Self {
        Self { kind: "publication", id: None, event, data, retry: None }
    }

    fn written(name: &'static str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut data = Vec::new();
        write(&mut data);
        Self { kind: name, ..Self::new(Some(Cow::Borrowed(name)), Cow::Owned(data)) }
    }
}

/// The id of a publication on a stream of its channel alone: the same for every reader, so that
/// it can be part of the bytes they share.
pub fn publication_id(publication: &Publication) -> String {
    Cursor::new(vec![(publication.channel.clone(), publication.position)]).to_string()
}
