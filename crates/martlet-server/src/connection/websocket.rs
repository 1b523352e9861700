//! A WebSocket connection: reads messages until either side ends it.

use std::ops::ControlFlow;
use std::rc::Rc;

use martlet_core::model::{Close, Code};
use martlet_transport::outlet::Outlet;
use martlet_transport::stream::Stream;
use martlet_transport::websocket::{Accepted, Decoder, Fault, Incoming, encoder};

use crate::wire::{Carrier, Grammar, WireKind};
use crate::worker::{SessionIndex, Uplink, Worker};

/// The subprotocols, in the order in which the server prefers them.
pub const SUBPROTOCOLS: &[&str] = &["martlet.v1.json", "martlet.v1.proto"];

/// How often a connection reads before others get a turn.
const READS: usize = 4;

/// Serves a connection whose handshake has been answered. `ahead` is what came after it.
pub async fn serve(worker: Rc<Worker>, stream: Stream, accepted: &Accepted, mut ahead: Vec<u8>) {
    let stream = Rc::new(stream);
    let outlet = Rc::new(Outlet::Stream(Rc::clone(&stream)));
    let index = worker.open(outlet, kind(accepted), None);
    let limit = u32::try_from(worker.rules().limits.frame_bytes).unwrap_or(u32::MAX);
    let mut decoder = Decoder::new(limit, accepted.deflate());
    if !ahead.is_empty() {
        worker.with_read_buffer(|buffer| {
            take(&worker, index, &mut decoder, &mut ahead, &mut buffer.inflater);
        });
    }
    drop(ahead);
    while !decoder.ended() && stream.readable().await.is_ok() {
        if read(&worker, index, &stream, &mut decoder).is_break() {
            break;
        }
        tokio::task::consume_budget().await;
    }
    if decoder.ended() {
        // The closing handshake is on its way out; the sweep ends the connection after it.
        stream.closed().await;
    }
    worker.detached(index);
}

fn kind(accepted: &Accepted) -> WireKind {
    let grammar = match accepted.protocol {
        Some("martlet.v1.proto") => Grammar::Proto,
        _ => Grammar::Json,
    };
    let carrier = if accepted.deflate() { Carrier::Deflated } else { Carrier::WebSocket };
    WireKind { grammar, carrier, cursor: false }
}

/// Reads what is there. `Break` when the client is gone.
fn read(
    worker: &Rc<Worker>,
    index: SessionIndex,
    stream: &Stream,
    decoder: &mut Decoder,
) -> ControlFlow<()> {
    worker.with_read_buffer(|buffer| {
        for _ in 0..READS {
            match stream.try_read(&mut buffer.bytes) {
                Ok(0) => return ControlFlow::Break(()),
                Ok(count) => {
                    let bytes = &mut buffer.bytes[..count];
                    take(worker, index, decoder, bytes, &mut buffer.inflater);
                    if decoder.ended() || count < buffer.bytes.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    })
}

/// Hands the messages in `bytes` to the worker.
fn take(
    worker: &Rc<Worker>,
    index: SessionIndex,
    decoder: &mut Decoder,
    bytes: &mut [u8],
    inflater: &mut martlet_transport::websocket::Inflater,
) {
    let outcome = decoder.feed(bytes, inflater, &mut |incoming| {
        match incoming {
            Incoming::Text(text) => worker.handle_uplink(index, Uplink::Frame(text.as_bytes())),
            Incoming::Binary(bytes) => worker.handle_uplink(index, Uplink::Frame(bytes)),
            Incoming::Ping(payload) => {
                let mut pong = Vec::with_capacity(payload.len() + 2);
                encoder::write_pong(&mut pong, payload);
                worker.handle_uplink(index, Uplink::Control(pong.into()));
            }
            Incoming::Pong(_) => worker.handle_uplink(index, Uplink::Heard),
            Incoming::Close(close) => {
                let mut echo = Vec::new();
                encoder::write_close(&mut echo, close.code, "");
                let for_good = matches!(close.code, Some(1000 | 1001) | None);
                worker.handle_uplink(index, Uplink::Closed { echo: echo.into(), for_good });
            }
        }
        ControlFlow::Continue(())
    });
    if let Err(fault) = outcome {
        worker.handle_uplink(
            index,
            Uplink::Fault { close: close_of(&fault), code: fault.close_code() },
        );
    }
}

/// How a client is closed that broke the rules of WebSocket.
fn close_of(fault: &Fault) -> Close {
    let code = if fault.close_code() == 1009 { Code::LargeFrame } else { Code::BadFrame };
    Close { code, detail: Some(fault.to_string().into()), after: None }
}
