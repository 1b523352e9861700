//! A response that does not end: server-sent events, lines, a forever frame, parts. Of the native
//! protocol, with `POST /v1/send` as the way up, or plain, for `curl` and pages without a client.
//!
//! The transports differ in what stands in [`OneWay`], and in their layouts.

use std::io::IoSlice;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Method, Version, header};
use martlet_core::model::{Code, Refusal};
use martlet_protocol::plain;
use martlet_transport::framing::Framing;
use martlet_transport::http1::Head;
use martlet_transport::layout::{
    Begin, Callback, PADDING_MAX, stream_framing, stream_headers, write_stream_head,
};
use martlet_transport::outlet::Outlet;
use martlet_transport::stream::Stream;
use tokio::sync::oneshot;

use super::parameter;
use crate::clock::Clock;
use crate::wire::{Carrier, Form, Grammar, WireKind};
use crate::worker::{NewConnection, PlainOpening, SessionIndex, Uplink, Worker};

/// One transport of this kind.
pub struct OneWay {
    /// How it is laid out, and in place of one another if `replace=true` is asked for.
    form: Form,
    replaced: Option<Form>,
    /// Whether it speaks the native protocol too.
    pub native: bool,
    /// Whether plain publications are always whole, or only with `envelope=true`.
    whole: bool,
    /// Whether a page names a function to be called.
    pub(super) callback: bool,
    /// Whether it ends after a number of bytes, because its browser keeps them all.
    limited: bool,
    /// Whether a plain client is told when to come back, by itself.
    pub(super) retries: bool,
    /// Whether a page can put it into itself without asking for permission.
    pub embeds: bool,
}

/// Server-sent events, for `EventSource`.
pub const SSE: OneWay = OneWay {
    form: Form::Events,
    replaced: None,
    native: true,
    whole: false,
    callback: false,
    limited: false,
    retries: true,
    embeds: false,
};

/// Lines, for scripts and `XMLHttpRequest`.
pub const LINES: OneWay =
    OneWay { form: Form::Lines, whole: true, limited: true, retries: false, ..SSE };

/// A forever frame, for old browsers.
pub const HTML: OneWay = OneWay { form: Form::Page, callback: true, embeds: true, ..LINES };

/// Parts, for images that change and old tools.
pub const MULTIPART: OneWay = OneWay {
    form: Form::Parts,
    replaced: Some(Form::Pictures),
    native: false,
    retries: false,
    embeds: true,
    ..SSE
};

/// The shortest that a stream may be made.
const LIMIT_MIN: usize = 4096;

/// How long a plain stream's client is advised to wait before it comes back, unless the server
/// says otherwise at the end.
const RETRY_MS: u64 = 2_000;

/// What a request for a stream asks for.
pub struct Asked {
    what: What,
    form: Form,
    begin: Begin,
    /// After how many bytes it is to end.
    limit: Option<usize>,
}

enum What {
    /// A stream of the native protocol, which begins with this frame of the client.
    Native(Bytes),
    /// A plain stream.
    Plain(Box<plain::Query>),
}

/// Reads a request. `body` is empty unless it is a `POST`.
pub fn read(one_way: &OneWay, head: &Head, body: &[u8], worker: &Worker) -> Result<Asked, Refusal> {
    let first = native_frame(head, body, one_way.native)?;
    let what = match first {
        Some(frame) => What::Native(frame),
        None => {
            let mut query = plain_query(head, worker)?;
            query.envelope |= one_way.whole;
            What::Plain(Box::new(query))
        }
    };
    let replace = parameter(head, "replace").is_some_and(|text| text == "true" || text == "1");
    let retries = one_way.retries && matches!(what, What::Plain(_));
    let begin = Begin {
        padding: number(head, "padding")?.unwrap_or(0).min(PADDING_MAX),
        callback: if one_way.callback { Some(callback(head)?) } else { None },
        retry_ms: retries.then_some(RETRY_MS),
    };
    let form = one_way.replaced.filter(|_| replace).unwrap_or(one_way.form);
    let limit = if one_way.limited { limit(head, worker)? } else { None };
    Ok(Asked { what, form, begin, limit })
}

/// The first frame of a client that speaks the native protocol: the body, or `connect` of the
/// query. `None` for a plain one.
pub fn native_frame(head: &Head, body: &[u8], native: bool) -> Result<Option<Bytes>, Refusal> {
    if head.method != Method::GET && (head.method != Method::POST || !native) {
        return Err(Code::MethodNotAllowed.into());
    }
    match parameter(head, "protocol").as_deref() {
        None => Ok(None),
        Some("martlet.v1.json") if !native => {
            Err(Refusal::because(Code::UnsupportedProtocol, "this transport is plain"))
        }
        Some("martlet.v1.json") if head.method == Method::POST => {
            Ok(Some(Bytes::copy_from_slice(body)))
        }
        Some("martlet.v1.json") => {
            let frame = parameter(head, "connect").ok_or_else(|| {
                Refusal::because(Code::Malformed, "GET needs the first frame as connect=")
            })?;
            Ok(Some(frame.into()))
        }
        Some(_) => Err(Refusal::because(Code::UnsupportedProtocol, "it speaks martlet.v1.json")),
    }
}

/// What a plain client asks for.
pub fn plain_query(head: &Head, worker: &Worker) -> Result<plain::Query, Refusal> {
    let field = |name: header::HeaderName| head.headers.get(name).map(|value| value.as_bytes());
    let request = plain::Request {
        query: head.uri.query().unwrap_or_default(),
        last_event_id: field(header::HeaderName::from_static("last-event-id")),
        authorization: field(header::AUTHORIZATION),
    };
    let query = plain::Query::parse(request, &worker.rules().limits, Clock::wall());
    query.map_err(|refused| refused.refusal)
}

/// The function that a page names.
pub fn callback(head: &Head) -> Result<Callback, Refusal> {
    let name = parameter(head, "callback").unwrap_or_default();
    Callback::parse(&name).map_err(|_| Code::CallbackInvalid.into())
}

/// A parameter that is a number.
pub fn number(head: &Head, name: &str) -> Result<Option<usize>, Refusal> {
    let Some(text) = parameter(head, name) else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    let detail = || Refusal::because(Code::Malformed, format!("{name} is a number"));
    number.map(Some).ok_or_else(detail)
}

fn limit(head: &Head, worker: &Worker) -> Result<Option<usize>, Refusal> {
    let limit = number(head, "limit")?.unwrap_or(worker.rules().limits.stream_bytes);
    Ok((limit > 0).then_some(limit.max(LIMIT_MIN)))
}

/// The fields of the answer to what was asked.
pub fn headers(asked: &Asked, worker: &Worker) -> HeaderMap {
    stream_headers(worker.layouts().of(asked.form), HeaderMap::new())
}

/// A stream on its own connection of HTTP/1, whose head has been written.
pub struct Begun {
    worker: Rc<Worker>,
    stream: Rc<Stream>,
    index: SessionIndex,
}

impl Begun {
    /// Waits until the client has gone.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    pub fn follow(self) -> impl Future<Output = ()> {
        async move {
            self.stream.closed().await;
            self.worker.detached(self.index);
        }
    }
}

/// Begins a stream on its own connection of HTTP/1. `Err` if it is to be refused instead; `None`
/// if the client has left.
pub async fn serve(
    worker: Rc<Worker>,
    stream: Rc<Stream>,
    version: Version,
    asked: Asked,
    cors: HeaderMap,
) -> Result<Option<Begun>, Refusal> {
    let mut head = Vec::new();
    write_stream_head(worker.layouts().of(asked.form), version, cors, &mut head);
    let carrier = match stream_framing(version) {
        Framing::Chunked => Carrier::Chunked,
        _ => Carrier::Raw,
    };
    let outlet = Outlet::Stream(Rc::clone(&stream));
    let index = begin(&worker, outlet, carrier, asked).await?;
    if stream.write_all(&[IoSlice::new(&head)]).await.is_err() {
        worker.detached(index);
        return Ok(None);
    }
    worker.head_written(index);
    Ok(Some(Begun { worker, stream, index }))
}

/// Begins a stream, once it is clear that it is not refused. Nothing is written before the caller
/// has written the head of the response and said so.
pub async fn begin(
    worker: &Rc<Worker>,
    outlet: Outlet,
    carrier: Carrier,
    asked: Asked,
) -> Result<SessionIndex, Refusal> {
    let Asked { what, form, begin, limit } = asked;
    let new = |kind, opening| NewConnection {
        outlet,
        kind,
        opening: Some(Box::new(opening)),
        begin: Some(begin),
        limit,
        polls: None,
    };
    match what {
        What::Native(frame) => {
            let kind = WireKind { grammar: Grammar::Json, form, carrier, cursor: false };
            let index = worker.open(new(kind, PlainOpening::native()));
            worker.handle_uplink(index, Uplink::Frame(&frame));
            Ok(index)
        }
        What::Plain(query) => {
            let grammar = if query.envelope { Grammar::Envelope } else { Grammar::Plain };
            let kind = WireKind { grammar, form, carrier, cursor: false };
            let channels = query.connect.subscribe.iter().map(|s| s.channel.clone()).collect();
            let (decided, decision) = oneshot::channel();
            let index = worker.open(new(kind, PlainOpening::new(channels, decided)));
            let mut guard = DetachUnlessBegun::new(Rc::clone(worker), index);
            worker.connect(index, query.connect);
            decision.await.unwrap_or(Err(Code::Internal.into()))?;
            guard.begun();
            Ok(index)
        }
    }
}

/// Ends the session of a stream that was refused, or whose client left before that was clear.
pub struct DetachUnlessBegun {
    worker: Rc<Worker>,
    index: SessionIndex,
    begun: bool,
}

impl DetachUnlessBegun {
    /// Watches over a session.
    pub fn new(worker: Rc<Worker>, index: SessionIndex) -> Self {
        Self { worker, index, begun: false }
    }

    /// Somebody else sees to the session's end.
    pub fn begun(&mut self) {
        self.begun = true;
    }
}

impl Drop for DetachUnlessBegun {
    fn drop(&mut self) {
        if !self.begun {
            self.worker.detached(self.index);
        }
    }
}
