//! Ordinary HTTP, by hyper, within limits.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::strict::Strict;
use super::{Cut, Doors, Ending, FrontOptions, Peer};
use crate::stream::Rewind;

/// Resets by the client that are waited for, and resets that the client tricked us into, before
/// the connection is given up: against rapid resets of both kinds.
const PENDING_RESETS: usize = 20;
const PROVOKED_RESETS: usize = 128;
/// What a client of HTTP/2 may send ahead of being read, in a stream and in all.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Serves HTTP/1 until the connection has ended or been upgraded away.
pub(super) async fn serve_http1<D: Doors>(
    rewind: Rewind,
    doors: Rc<D>,
    options: Rc<FrontOptions>,
    ending: impl Ending,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.idle_timeout)
        .max_headers(options.head.fields)
        .max_header_size(options.head.bytes)
        .max_buf_size(options.buffer_bytes);
    let (cut, peer) = (Cut::default(), Peer::of(rewind.stream()));
    let service = Strict { service: doors.service(peer, cut.clone()), doors };
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(rewind), service).with_upgrades());
    // The connection comes first: a request that is here when the stop begins is still answered.
    tokio::select! {
        biased;
        ended = connection.as_mut() => return note(ended, peer),
        () = cut.wanted() => return,
        () = ending.stopping() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection => note(ended, peer),
        () = cut.wanted() => {}
    }
}

/// Serves HTTP/2 until the connection has ended.
pub(super) async fn serve_http2<D: Doors>(
    rewind: Rewind,
    doors: Rc<D>,
    options: Rc<FrontOptions>,
    ending: impl Ending,
) {
    let mut builder = http2::Builder::new(OnThisThread);
    builder
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .keep_alive_interval(options.http2_ping)
        .keep_alive_timeout(options.http2_ping / 2)
        .max_concurrent_streams(options.streams)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(PROVOKED_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(options.buffer_bytes)
        .max_header_list_size(u32::try_from(options.head.bytes).unwrap_or(u32::MAX));
    let (cut, peer) = (Cut::default(), Peer::of(rewind.stream()));
    let service = Strict { service: doors.service(peer, cut.clone()), doors };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(rewind), service));
    tokio::select! {
        biased;
        ended = connection.as_mut() => return note(ended, peer),
        () = cut.wanted() => return,
        () = ending.leaving() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection => note(ended, peer),
        () = cut.wanted() => {}
    }
}

/// The other side's faults are its own affair; they are there to be seen when looked for.
fn note(ended: hyper::Result<()>, peer: Peer) {
    if let Err(error) = ended {
        tracing::debug!(%error, peer = %peer.address, "a connection ended early");
    }
}

/// Runs what hyper starts beside a connection on the thread of that connection.
#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future<Output: 'static> + 'static> Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
