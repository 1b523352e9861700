//! How frames travel: a link carries frames both ways and says when it is over. It knows nothing
//! of what is in a frame.

pub(crate) mod events;
mod sse;
mod websocket;

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::SessionKey;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::address::Address;
use crate::error::Error;
use crate::http::Http;
use crate::options::{Transport, Wire};
use crate::session::{Advice, Dial};

/// Frames that wait between the socket and the session. When the session is busy the socket is
/// not read, and the server is held back by it.
const INCOMING: usize = 64;

/// How long a parting word may take.
const PARTING: Duration = Duration::from_secs(1);

/// What comes from the other side.
#[derive(Debug)]
pub enum Incoming {
    /// A frame.
    Frame(Bytes),
    /// A sign of life that is no frame.
    Heard,
    /// The link is over.
    Closed(Error, Advice),
}

/// A frame to be sent, with the key of the session it is for.
#[derive(Debug)]
pub struct Outgoing {
    /// The frame.
    pub frame: Bytes,
    /// Where it goes, on transports whose uplink is a request of its own.
    pub session: Option<SessionKey>,
}

/// How links are made.
#[derive(Debug, Clone)]
pub struct Dialer {
    /// The server, and connections to it.
    pub http: Http,
    /// For secure sockets that are not HTTP's.
    pub tls: std::sync::Arc<rustls::ClientConfig>,
    /// Which kind of link.
    pub transport: Transport,
    /// What frames are written in.
    pub wire: Wire,
    /// The largest frame taken.
    pub frame_bytes: usize,
}

/// One connection, carried by its own task. Dropping it cuts the connection.
#[derive(Debug)]
pub struct Link {
    /// Takes a frame as soon as the one before is on its way.
    pub outgoing: mpsc::Sender<Outgoing>,
    /// What comes from the other side.
    pub incoming: mpsc::Receiver<Incoming>,
    task: JoinHandle<()>,
}

impl Dialer {
    /// Begins a connection. Its permission is used up with that.
    pub fn dial(&self, Dial { permit: _, node, first }: Dial) -> Link {
        let (outgoing, sent) = mpsc::channel(1);
        let (received, incoming) = mpsc::channel(INCOMING);
        let dialer = self.to(node);
        let task = tokio::spawn(async move {
            let (why, advice) = match dialer.transport {
                Transport::WebSocket => websocket::run(&dialer, first, sent, &received).await,
                Transport::Sse => sse::run(&dialer, first, sent, &received).await,
            };
            // Nobody listens any more when the link was given up first.
            let _ = received.send(Incoming::Closed(why, advice)).await;
        });
        Link { outgoing, incoming, task }
    }

    /// The same for another node, which gets everything that belongs to the connection, its
    /// requests up too.
    fn to(&self, node: Option<Address>) -> Self {
        let http = node.map_or_else(|| self.http.clone(), |node| self.http.to(node));
        Self { http, ..self.clone() }
    }
}

impl Link {
    /// Ends the connection politely: what was taken is sent, then the parting word.
    pub async fn part(mut self) {
        let (closed, _) = mpsc::channel(1);
        self.outgoing = closed;
        // The task says what it has left and goes; what still comes in is of no use any more.
        let drained = async { while self.incoming.recv().await.is_some() {} };
        // Whoever does not take a parting word in time is cut off.
        let _ = tokio::time::timeout(PARTING, drained).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the end of a connection by an error says about coming back.
fn advice_of(error: &Error) -> Advice {
    match error {
        Error::Refused(refused) if !refused.temporary => Advice::Never,
        Error::Refused(refused) => refused.after.map_or(Advice::None, Advice::After),
        Error::Later { after, .. } => Advice::After(*after),
        Error::Address(_) | Error::Tls(_) => Advice::Never,
        _ => Advice::None,
    }
}
