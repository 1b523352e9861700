//! Clients that cannot see the status of an answer, or give up when it is a bad one: they are told
//! of a refusal in the words of their transport.

use std::time::Duration;

use http::{HeaderMap, header};
use martlet_core::model::{Close, Code, CodeKind, Refusal};
use martlet_core::session::Event;
use martlet_protocol::plain::PlainEvent;
use martlet_transport::http1::Head;
use martlet_transport::layout::{Begin, Callback, Html, Layout as _, Sse, stream_headers};

use super::stream::{OneWay, callback};
use crate::api;
use crate::random;
use crate::wire::event_of;

/// When an `EventSource` comes back that was not told when: at some moment of the spread after the
/// least.
const RETRY_MIN: Duration = Duration::from_secs(2);
const RETRY_SPREAD: Duration = Duration::from_secs(3);

/// Such a client.
pub enum Listener {
    /// A page that named a function to be called: it cannot see the status of a frame.
    Function(Callback),
    /// An `EventSource`. It stays away for ever after any status but 200, so a refusal that may
    /// pass is a stream that says when to come back, and ends.
    EventSource,
}

impl Listener {
    /// Who listens, if it is such a client.
    pub fn of(one_way: &OneWay, head: &Head) -> Option<Self> {
        if one_way.callback {
            return callback(head).ok().map(Self::Function);
        }
        let accepts = head.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let listens = accepts.is_some_and(|types| types.contains("text/event-stream"));
        (one_way.retries && listens).then_some(Self::EventSource)
    }

    /// The answer that tells of a refusal; `None` if a status tells as much. A strange page gets
    /// none.
    pub fn told(self, refusal: &Refusal) -> Option<(HeaderMap, Vec<u8>)> {
        match self {
            _ if refusal.code == Code::OriginDenied => None,
            Self::Function(callback) => Some(called(callback, refusal)),
            Self::EventSource => refusal.code.temporary().then(|| retried(refusal)),
        }
    }
}

fn called(callback: Callback, refusal: &Refusal) -> (HeaderMap, Vec<u8>) {
    let mut page = Vec::new();
    Html.begin(&Begin { callback: Some(callback), ..Begin::default() }, &mut page);
    let error = [b"{\"error\":", api::refusal_json(refusal).as_slice(), b"}"].concat();
    Html.message(&error, &mut page);
    (stream_headers(&Html, HeaderMap::new()), page)
}

fn retried(refusal: &Refusal) -> (HeaderMap, Vec<u8>) {
    let retry = refusal.after.unwrap_or_else(|| random::time(RETRY_MIN, RETRY_SPREAD));
    let event = match refusal.code.kind() {
        CodeKind::CloseAndReturn => Event::Closing(Close {
            detail: refusal.detail.clone(),
            after: Some(retry),
            ..refusal.code.into()
        }),
        _ => Event::Refused { channel: None, refusal: refusal.clone() },
    };
    let mut page = Vec::new();
    if let Some(told) = PlainEvent::of(&event, false) {
        let told = PlainEvent { retry: told.retry.or(Some(retry)), ..told };
        Sse.event(&event_of(&told), false, &mut page);
    }
    (stream_headers(&Sse, HeaderMap::new()), page)
}
