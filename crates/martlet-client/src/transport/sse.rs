//! The link over server-sent events: a held-open response carries frames down, and each frame up
//! is a request of its own, one at a time so that they stay in order.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming as Body;
use tokio::sync::mpsc;

use super::events::{Events, Item};
use super::{Dialer, Incoming, Outgoing, advice_of};
use crate::error::Error;
use crate::http::{Http, read as read_whole, root};
use crate::session::Advice;

/// How long a request up may take. The stream down does not show that the way up is blocked.
const UPLINK_TIMEOUT: Duration = Duration::from_secs(10);

/// Carries frames until the link is over, and says why it is.
pub async fn run(
    dialer: &Dialer,
    first: Bytes,
    outgoing: mpsc::Receiver<Outgoing>,
    incoming: &mpsc::Sender<Incoming>,
) -> (Error, Advice) {
    let http = &dialer.http;
    let said = |error: Error| {
        let advice = advice_of(&error);
        (error, advice)
    };
    match open(http, first).await {
        Ok(response) => tokio::select! {
            error = receive(response, dialer.frame_bytes, incoming) => said(error),
            over = send(http, outgoing) => over,
        },
        Err(error) => said(error),
    }
}

async fn open(http: &Http, first: Bytes) -> Result<Response<Body>, Error> {
    let uri = http.address().http("/v1/sse?protocol=martlet.v1.json");
    let request = Request::post(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Full::new(first))
        .map_err(|_| Error::Address(http.address().authority().into()))?;
    let response = http.send(request).await?;
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return Ok(response);
    }
    Err(Error::Foreign(format!("the stream is {}", kind.unwrap_or("of no type"))))
}

async fn receive(
    response: Response<Body>,
    frame_bytes: usize,
    incoming: &mpsc::Sender<Incoming>,
) -> Error {
    let mut body = response.into_body();
    let mut events = Events::new(frame_bytes);
    loop {
        let piece = match body.frame().await {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => return Error::Lost(root(&error)),
            None => return Error::Lost("the server ended the stream".into()),
        };
        let mut items = Vec::new();
        if events.read(&piece, |item| items.push(item)).is_err() {
            return Error::Foreign(format!("an event is larger than {frame_bytes} bytes"));
        }
        for item in items {
            let item = match item {
                Item::Data(frame) => Incoming::Frame(frame),
                Item::Comment => Incoming::Heard,
            };
            if incoming.send(item).await.is_err() {
                return Error::Closed;
            }
        }
    }
}

async fn send(http: &Http, mut outgoing: mpsc::Receiver<Outgoing>) -> (Error, Advice) {
    while let Some(outgoing) = outgoing.recv().await {
        if let Err(error) = send_one(http, outgoing).await {
            return lost_by(error);
        }
    }
    (Error::Closed, Advice::Never)
}

/// What it means when a request up was not taken. The session is not on this node any more, or
/// takes no more just now: connecting again rebuilds it, when the server says.
fn lost_by(error: Error) -> (Error, Advice) {
    match error {
        Error::Refused(refused) => {
            let advice = refused.after.map_or(Advice::None, Advice::After);
            (Error::Lost(refused.message), advice)
        }
        error => {
            let advice = advice_of(&error);
            (error, advice)
        }
    }
}

async fn send_one(http: &Http, Outgoing { frame, session }: Outgoing) -> Result<(), Error> {
    let Some(session) = session else {
        return Err(Error::Foreign("it let the client in without a session".into()));
    };
    let uri = http.address().http(&format!("/v1/send?session={session}"));
    let request = Request::post(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(frame))
        .map_err(|_| Error::Address(http.address().authority().into()))?;
    match tokio::time::timeout(UPLINK_TIMEOUT, up(http, request)).await {
        Ok(sent) => sent,
        Err(_) => Err(Error::Timeout("the answer to a request")),
    }
}

/// One request up. Its empty answer is read to the end, so that the connection is used again.
async fn up(http: &Http, request: Request<Full<Bytes>>) -> Result<(), Error> {
    let response = http.send(request).await?;
    read_whole(response, 64 * 1024).await.map(drop)
}
