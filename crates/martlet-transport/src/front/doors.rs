//! What the front asks of the server behind it.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use martlet_core::model::Refusal;
use tokio::sync::Notify;

use super::Held;
use crate::http1::Head;
use crate::stream::Stream;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Peer {
    /// The peer of a stream.
    pub fn of(stream: &Stream) -> Self {
        Self { address: stream.peer(), tls: stream.is_tls() }
    }
}

/// The means to end a connection at once, for those who answer its requests: a client of HTTP/2
/// that takes in nothing of an answer does not take in the end of it either.
#[derive(Debug, Clone, Default)]
pub struct Cut(Rc<Notify>);

impl Cut {
    /// Ends the connection, with everything that is under way on it.
    pub fn now(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody wants the connection to end.
    pub(super) async fn wanted(&self) {
        self.0.notified().await;
    }
}

/// The way from the front into the server: some requests are held open on their stream, all
/// others are answered by a service.
pub trait Doors: 'static {
    /// The body of an ordinary answer.
    type Body: http_body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static;

    /// What answers ordinary requests, one of it for each connection.
    type Service: Service<
            Request<Incoming>,
            Response = Response<Self::Body>,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: 'static,
        > + 'static;

    /// Whether this request is to stay open on its own stream. Only asked for requests of HTTP/1
    /// before the first ordinary one of their connection; those after it, and those of HTTP/2, go
    /// to the service.
    fn holds(&self, head: &Head, peer: Peer) -> bool;

    /// Takes over a request that stays open, with its stream, until it ends. Gives the connection
    /// back if the client may ask something else on it. The future is what stays in memory all
    /// that time, so what is large in it and not always there is best boxed.
    fn hold(
        self: Rc<Self>,
        request: Box<(Head, Held)>,
    ) -> impl Future<Output = Option<Box<Held>>> + 'static;

    /// The service for a connection, which `cut` ends.
    fn service(&self, peer: Peer, cut: Cut) -> Self::Service;

    /// The JSON body that tells a client about a refusal.
    fn refusal(&self, refusal: &Refusal) -> Vec<u8>;
}
