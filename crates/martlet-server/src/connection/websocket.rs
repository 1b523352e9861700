//! A WebSocket connection: reads messages until either side ends it.

use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http_body_util::BodyExt as _;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use martlet_core::model::{Close, Code};
use martlet_transport::body::{Body, pipe};
use martlet_transport::outlet::Outlet;
use martlet_transport::stream::Stream;
use martlet_transport::websocket::{Accepted, Decoder, Fault, Incoming, encoder};
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf};

use crate::wire::{Carrier, Form, Grammar, WireKind};
use crate::worker::{NewConnection, SessionIndex, Uplink, Worker};

/// The subprotocols, in the order in which the server prefers them.
pub const SUBPROTOCOLS: &[&str] = &["martlet.v1.json", "martlet.v1.proto"];

/// A connection that has so much to say at once lets the others have a turn after it.
const MUCH_BYTES: usize = 4 * 1024;

/// A connection whose session has begun. While it waits, this is all there is of it here.
pub struct Begun {
    worker: Rc<Worker>,
    stream: Rc<Stream>,
    index: SessionIndex,
    decoder: Decoder,
}

/// Begins the session of a connection whose handshake has been answered. `ahead` is what came
/// after it.
pub fn begin(worker: Rc<Worker>, stream: Stream, accepted: &Accepted, mut ahead: Vec<u8>) -> Begun {
    let stream = Rc::new(stream);
    let outlet = Outlet::Stream(Rc::clone(&stream));
    let index = worker.open(NewConnection::new(outlet, kind(accepted)));
    let limit = u32::try_from(worker.rules().limits.frame_bytes).unwrap_or(u32::MAX);
    let mut decoder = Decoder::new(limit, accepted.deflate());
    if !ahead.is_empty() {
        worker.with_read_buffer(|buffer| {
            take(&worker, index, &mut decoder, &mut ahead, &mut buffer.inflater);
        });
    }
    Begun { worker, stream, index, decoder }
}

impl Begun {
    /// Reads until either side ends it.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    pub fn follow(mut self) -> impl Future<Output = ()> {
        async move {
            while !self.decoder.ended() && self.stream.readable().await.is_ok() {
                match read(&self.worker, self.index, &self.stream, &mut self.decoder) {
                    ControlFlow::Break(()) => break,
                    ControlFlow::Continue(MUCH_BYTES..) => tokio::task::yield_now().await,
                    ControlFlow::Continue(_) => tokio::task::consume_budget().await,
                }
            }
            if self.decoder.ended() {
                // The closing handshake is on its way out; the sweep ends the connection after it.
                Box::pin(self.stream.closed()).await;
            }
            self.worker.detached(self.index);
        }
    }
}

/// How much waits in HTTP/2's hands.
const PIPE_BYTES: usize = 64 * 1024;

/// Serves a WebSocket that is one stream of a connection of HTTP/2, once it has been answered.
pub async fn serve_http2(worker: Rc<Worker>, upgraded: Upgraded, accepted: &Accepted) {
    let (mut reading, writing) = tokio::io::split(TokioIo::new(upgraded));
    let (writer, body) = pipe(PIPE_BYTES);
    let outlet = Outlet::Body(Rc::new(writer));
    tokio::task::spawn_local(carry(body, writing));
    let index = worker.open(NewConnection::new(outlet.clone(), kind(accepted)));
    let limit = u32::try_from(worker.rules().limits.frame_bytes).unwrap_or(u32::MAX);
    let mut decoder = Decoder::new(limit, accepted.deflate());
    while !decoder.ended() {
        let read = std::future::poll_fn(|context| {
            poll_http2(&worker, index, &mut reading, &mut decoder, context)
        });
        tokio::select! {
            more = read => if !matches!(more, Ok(1..)) { break },
            () = outlet.ended() => break,
        }
        tokio::task::consume_budget().await;
    }
    if decoder.ended() {
        outlet.ended().await;
    }
    worker.detached(index);
}

/// Carries what is written into the stream, until it is finished or cut off.
async fn carry(mut body: Body, mut writing: WriteHalf<TokioIo<Upgraded>>) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(bytes) = frame.into_data() else { return };
        if writing.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // A client that has gone has nothing to be told.
    let _ = writing.shutdown().await;
}

/// Reads what is there, and says how much; 0 when the client has nothing more to say.
fn poll_http2(
    worker: &Rc<Worker>,
    index: SessionIndex,
    reading: &mut ReadHalf<TokioIo<Upgraded>>,
    decoder: &mut Decoder,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    worker.with_read_buffer(|buffer| {
        let mut bytes = ReadBuf::new(&mut buffer.bytes);
        ready!(Pin::new(reading).poll_read(context, &mut bytes))?;
        let count = bytes.filled().len();
        take(worker, index, decoder, bytes.filled_mut(), &mut buffer.inflater);
        Poll::Ready(Ok(count))
    })
}

fn kind(accepted: &Accepted) -> WireKind {
    let grammar = match accepted.protocol {
        Some("martlet.v1.proto") => Grammar::Proto,
        _ => Grammar::Json,
    };
    let carrier = if accepted.deflate() { Carrier::Deflated } else { Carrier::WebSocket };
    WireKind { grammar, form: Form::Message, carrier, cursor: false }
}

/// Reads what is there, and says how much. `Break` when the client is gone.
fn read(
    worker: &Rc<Worker>,
    index: SessionIndex,
    stream: &Stream,
    decoder: &mut Decoder,
) -> ControlFlow<(), usize> {
    worker.with_read_buffer(|buffer| match stream.try_read(&mut buffer.bytes) {
        Ok(0) => ControlFlow::Break(()),
        Ok(count) => {
            take(worker, index, decoder, &mut buffer.bytes[..count], &mut buffer.inflater);
            ControlFlow::Continue(count)
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => ControlFlow::Continue(0),
        Err(_) => ControlFlow::Break(()),
    })
}

/// Hands the messages in `bytes` to the worker, until the session has had enough.
fn take(
    worker: &Rc<Worker>,
    index: SessionIndex,
    decoder: &mut Decoder,
    bytes: &mut [u8],
    inflater: &mut martlet_transport::websocket::Inflater,
) {
    let outcome = decoder.feed(bytes, inflater, &mut |incoming| match worker
        .handle_uplink(index, uplink(incoming))
    {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    });
    if let Err(fault) = outcome {
        worker.handle_uplink(
            index,
            Uplink::Fault { close: close_of(&fault), code: fault.close_code() },
        );
    }
}

/// What the worker is told of something that came.
fn uplink(incoming: Incoming<'_>) -> Uplink<'_> {
    match incoming {
        Incoming::Text(text) => Uplink::Frame(text.as_bytes()),
        Incoming::Binary(bytes) => Uplink::Frame(bytes),
        Incoming::Ping(payload) => {
            let mut pong = Vec::with_capacity(payload.len() + 2);
            encoder::write_pong(&mut pong, payload);
            Uplink::Control(pong.into())
        }
        Incoming::Pong(_) => Uplink::Heard,
        Incoming::Close(close) => {
            let mut echo = Vec::new();
            encoder::write_close(&mut echo, close.code, "");
            let for_good = matches!(close.code, Some(1000 | 1001) | None);
            Uplink::Closed { echo: echo.into(), for_good }
        }
    }
}

/// How a client is closed that broke the rules of WebSocket.
fn close_of(fault: &Fault) -> Close {
    let code = if fault.close_code() == 1009 { Code::LargeFrame } else { Code::BadFrame };
    Close { detail: Some(fault.to_string().into()), ..code.into() }
}
