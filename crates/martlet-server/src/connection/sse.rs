//! A stream of server-sent events: of the native protocol, with `POST /v1/send` as the way up, or
//! plain, for `curl` and a bare `EventSource`.

use std::io::IoSlice;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use martlet_core::model::{Code, Refusal};
use martlet_protocol::plain;
use martlet_transport::framing::Framing;
use martlet_transport::http1::Head;
use martlet_transport::outlet::Outlet;
use martlet_transport::sse;
use martlet_transport::stream::Stream;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::wire::{Carrier, Grammar, WireKind};
use crate::worker::{PlainOpening, SessionIndex, Uplink, Worker};

/// What a request for a stream asks for.
pub enum Asked {
    /// A stream of the native protocol, which begins with this frame of the client.
    Native(Bytes),
    /// A plain stream.
    Plain(Box<plain::Query>),
}

/// Reads a request. `body` is empty unless it is a `POST`.
pub fn read(head: &Head, body: &[u8], worker: &Worker) -> Result<Asked, Refusal> {
    if head.method != Method::GET && head.method != Method::POST {
        return Err(Refusal::because(Code::MethodNotAllowed, "streams answer GET and POST"));
    }
    let parameter = |name: &str| {
        let found = head.pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    };
    match parameter("protocol").as_deref() {
        None => plain_query(head, worker),
        Some("martlet.v1.json") if head.method == Method::POST => {
            Ok(Asked::Native(Bytes::copy_from_slice(body)))
        }
        Some("martlet.v1.json") => {
            let frame = parameter("connect").ok_or_else(|| {
                Refusal::because(Code::Malformed, "GET needs the first frame as connect=")
            })?;
            Ok(Asked::Native(frame.into()))
        }
        Some(_) => {
            Err(Refusal::because(Code::UnsupportedProtocol, "streams speak martlet.v1.json"))
        }
    }
}

/// The fields that the refusal of a stream needs beside its body.
pub fn refusal_headers(refusal: &Refusal) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if refusal.code == Code::MethodNotAllowed {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    }
    headers
}

fn plain_query(head: &Head, worker: &Worker) -> Result<Asked, Refusal> {
    let field = |name: header::HeaderName| head.headers.get(name).map(|value| value.as_bytes());
    let request = plain::Request {
        query: head.uri.query().unwrap_or_default(),
        last_event_id: field(header::HeaderName::from_static("last-event-id")),
        authorization: field(header::AUTHORIZATION),
    };
    let query = plain::Query::parse(request, &worker.rules().limits, Clock::wall());
    query.map(|query| Asked::Plain(Box::new(query))).map_err(|refused| refused.refusal)
}

/// Serves a stream on its own connection of HTTP/1. `Err` if it is to be refused instead.
pub async fn serve(
    worker: Rc<Worker>,
    stream: Rc<Stream>,
    version: Version,
    asked: Asked,
    cors: HeaderMap,
) -> Result<(), Refusal> {
    let mut head = Vec::new();
    let carrier = match sse::write_response_head(&mut head, version, cors) {
        Framing::Chunked => Carrier::Chunked,
        _ => Carrier::Raw,
    };
    let outlet = Rc::new(Outlet::Stream(Rc::clone(&stream)));
    let begun = begin(&worker, outlet, carrier, asked).await?;
    if stream.write_all(&[IoSlice::new(&head)]).await.is_ok() {
        worker.head_written(begun);
        stream.closed().await;
    }
    worker.detached(begun);
    Ok(())
}

/// Begins a stream, once it is clear that it is not refused. Nothing is written before the caller
/// has written the head of the response and said so.
pub async fn begin(
    worker: &Rc<Worker>,
    outlet: Rc<Outlet>,
    carrier: Carrier,
    asked: Asked,
) -> Result<SessionIndex, Refusal> {
    match asked {
        Asked::Native(frame) => {
            let kind = WireKind { grammar: Grammar::Json, carrier, cursor: false };
            let opening = PlainOpening::native();
            let index = worker.open(outlet, kind, Some(opening));
            worker.handle_uplink(index, Uplink::Frame(&frame));
            Ok(index)
        }
        Asked::Plain(query) => {
            let grammar = if query.envelope { Grammar::Envelope } else { Grammar::Plain };
            let cursor = query.connect.subscribe.len() > 1;
            let kind = WireKind { grammar, carrier, cursor };
            let channels = query.connect.subscribe.iter().map(|s| s.channel.clone()).collect();
            let (decided, decision) = oneshot::channel();
            let index = worker.open(outlet, kind, Some(PlainOpening::new(channels, decided)));
            let guard = DetachUnlessBegun { worker, index, begun: false };
            worker.connect(index, query.connect);
            guard.after(decision.await.unwrap_or(Err(Code::Internal.into())))
        }
    }
}

/// Ends the session of a stream that was refused, or whose client left before that was clear.
struct DetachUnlessBegun<'a> {
    worker: &'a Rc<Worker>,
    index: SessionIndex,
    begun: bool,
}

impl DetachUnlessBegun<'_> {
    fn after(mut self, decision: Result<(), Refusal>) -> Result<SessionIndex, Refusal> {
        self.begun = decision.is_ok();
        decision.map(|()| self.index)
    }
}

impl Drop for DetachUnlessBegun<'_> {
    fn drop(&mut self) {
        if !self.begun {
            self.worker.detached(self.index);
        }
    }
}
