//! Polling: a request that is answered with what there is, or when there is something. Long with
//! the usual wait, short with `wait=0`.
//!
//! A plain poll needs no session: channels and a cursor are enough, and its answer ends with the
//! cursor of the next one. A native client's polls carry one session, which lives on between them,
//! on whatever connection and worker they come.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use martlet_core::model::{Code, Refusal, SessionKey};
use martlet_core::session::{Polled, Polls, Start};
use martlet_protocol::plain;
use martlet_transport::http1::Head;
use martlet_transport::layout::{Items, stream_headers};
use martlet_transport::outlet::{Batch, Outlet};
use tokio::sync::oneshot;

use super::parameter;
use super::stream::{DetachUnlessBegun, native_frame, number, plain_query};
use crate::cluster::known;
use crate::doors::Site;
use crate::wire::{Carrier, Form, Grammar, WireKind};
use crate::worker::{Answered, NewConnection, NextPoll, PlainOpening, Ticket, Uplink, Worker};

/// A cursor longer than this is told in the body alone: not everything on the way takes long
/// fields.
const FIELD_BYTES_MAX: usize = 4 * 1024;

/// What a poll asks for.
pub enum Asked {
    /// A session of the native protocol, which begins with this frame.
    Begin(Bytes),
    /// More of a session.
    Next(SessionKey, NextPoll),
    /// What there is in some channels.
    Plain(Box<plain::Query>, Duration),
}

/// What it is answered with.
#[derive(Debug)]
pub struct Answer {
    /// Events, one a line.
    pub lines: Bytes,
    /// What ends them: the number of the batch, or the cursor.
    pub end: String,
    /// Whether nothing came, and nothing has to be said.
    pub nothing: bool,
    /// Where a plain reader stands.
    cursor: Option<String>,
}

/// The waiting for an answer, in whatever words.
pub type Answering<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>>>>;

/// Reads a request. `body` is empty unless it is a `POST`.
pub fn read(head: &Head, body: &[u8], worker: &Worker) -> Result<Asked, Refusal> {
    let longest = worker.rules().ping;
    let wait = number(head, "wait")?.map_or(longest, |wait| Duration::from_secs(wait as u64));
    let wait = wait.min(longest);
    if let Some(frame) = native_frame(head, body, true)? {
        return Ok(Asked::Begin(frame));
    }
    match parameter(head, "session") {
        Some(key) => {
            let key = SessionKey::parse(&key).ok_or(Code::UnknownSession)?;
            let have = number(head, "batch")?.and_then(|have| u32::try_from(have).ok());
            let have = have.ok_or_else(|| {
                Refusal::because(Code::Malformed, "name the last batch you have as batch=")
            })?;
            Ok(Asked::Next(key, NextPoll { have, wait }))
        }
        None => Ok(Asked::Plain(Box::new(plain_query(head, worker)?), wait)),
    }
}

/// Asks, and waits for what the poll is to be answered with, which `say` puts into words. Whoever
/// drops the waiting takes the poll back. Many wait at once, so nothing of the request is kept.
pub fn answer<T: 'static>(
    worker: Rc<Worker>,
    site: Arc<Site>,
    asked: Asked,
    say: fn(Answer) -> T,
) -> Answering<T> {
    match asked {
        Asked::Begin(frame) => begin(worker, &frame, say),
        Asked::Next(key, next) => go_on(site, key, next, say),
        Asked::Plain(query, wait) => plain(worker, *query, wait, say),
    }
}

fn begin<T: 'static>(worker: Rc<Worker>, frame: &[u8], say: fn(Answer) -> T) -> Answering<T> {
    let (ticket, answered) = oneshot::channel();
    let wait = worker.rules().ping;
    let index = worker.open(connection(&worker, true, ticket, None, wait, false));
    let mut guard = DetachUnlessBegun::new(Rc::clone(&worker), index);
    worker.handle_uplink(index, Uplink::Frame(frame));
    Box::pin(async move {
        let answered = heard(answered).await?;
        guard.begun();
        Ok(say(native(answered)))
    })
}

fn go_on<T: 'static>(
    site: Arc<Site>,
    key: SessionKey,
    next: NextPoll,
    say: fn(Answer) -> T,
) -> Answering<T> {
    let polling = site.reach.poll(key, next);
    Box::pin(async move { Ok(say(native(known(polling.await?)?))) })
}

fn plain<T: 'static>(
    worker: Rc<Worker>,
    query: plain::Query,
    wait: Duration,
    say: fn(Answer) -> T,
) -> Answering<T> {
    let connect = query.connect;
    let (ticket, answered) = oneshot::channel();
    let (decided, decision) = oneshot::channel();
    let channels = connect.subscribe.iter().map(|s| s.channel.clone()).collect();
    let opening = PlainOpening { head_written: true, ..PlainOpening::new(channels, decided) };
    // Whoever brings no place needs one before anything else: what comes meanwhile would be lost
    // with an answer that got lost.
    let placeless = connect.subscribe.iter().any(|s| s.start == Start::Now);
    let (opening, hurried) = (Some(Box::new(opening)), placeless || wait.is_zero());
    let index = worker.open(connection(&worker, false, ticket, opening, wait, hurried));
    let detached_at_the_end = DetachUnlessBegun::new(Rc::clone(&worker), index);
    worker.connect(index, connect);
    Box::pin(async move {
        let _detached_at_the_end = detached_at_the_end;
        decision.await.unwrap_or(Err(Code::Internal.into()))?;
        Ok(say(looked_in(heard(answered).await?, placeless)))
    })
}

/// What there was for a client that only looks in.
fn looked_in(answered: Answered, placeless: bool) -> Answer {
    let Answered { polled, cursor } = answered;
    let (lines, nothing) = match polled {
        Polled::Batch { bytes, .. } => (bytes, false),
        Polled::Nothing { .. } | Polled::Unknown => (Bytes::new(), !placeless),
    };
    Answer { lines, end: format!("{{\"cursor\":\"{cursor}\"}}"), nothing, cursor: Some(cursor) }
}

fn connection(
    worker: &Worker,
    native: bool,
    ticket: Ticket,
    opening: Option<Box<PlainOpening>>,
    wait: Duration,
    hurried: bool,
) -> NewConnection {
    let (grammar, form) = match native {
        true => (Grammar::Json, Form::Lines),
        false => (Grammar::Envelope, Form::Items),
    };
    let (now, patience) = (worker.now().instant, worker.poll_patience());
    NewConnection {
        outlet: Outlet::Batch(Rc::new(Batch::default())),
        kind: WireKind { grammar, form, carrier: Carrier::Raw, cursor: false },
        opening,
        begin: None,
        limit: None,
        polls: Some(Box::new(Polls::begin(now, patience, ticket, wait, hurried))),
    }
}

async fn heard(
    answered: oneshot::Receiver<Result<Answered, Refusal>>,
) -> Result<Answered, Refusal> {
    answered.await.unwrap_or(Err(Code::UnknownSession.into()))
}

fn native(answered: Answered) -> Answer {
    let (lines, number, nothing) = match answered.polled {
        Polled::Batch { number, bytes } => (bytes, number, false),
        Polled::Nothing { number } => (Bytes::new(), number, true),
        Polled::Unknown => (Bytes::new(), 0, true),
    };
    Answer { lines, end: format!("{{\"batch\":{number}}}"), nothing, cursor: None }
}

impl Answer {
    /// The status, fields and body of the response.
    pub fn into_parts(self) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut headers = stream_headers(&Items, HeaderMap::new());
        if let Some(cursor) = self.cursor.filter(|cursor| cursor.len() <= FIELD_BYTES_MAX) {
            let value = HeaderValue::try_from(cursor).expect("a cursor is plain ASCII");
            headers.insert(HeaderName::from_static("martlet-cursor"), value);
        }
        if self.nothing {
            headers.remove(http::header::CONTENT_TYPE);
            return (StatusCode::NO_CONTENT, headers, Vec::new());
        }
        let body = [&self.lines, self.end.as_bytes(), b"\n"].concat();
        (StatusCode::OK, headers, body)
    }
}
