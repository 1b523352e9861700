//! The handle of a live connection: what an application asks of it. The work is done by the task
//! in `driver`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use martlet_core::model::{Appended, ChannelName, Cursor};
use martlet_core::session::{HistoryPage, Member};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};

use crate::address::Address;
use crate::driver::{Answer, Driver, Parts, Request, why_ended};
use crate::error::Error;
use crate::http::Http;
use crate::message::Message;
use crate::options::{HistoryQuery, Options, SubscribeOptions, Transport, Wire};
use crate::session::{Beginning, Connection, Reply, Session, Settings, State};
use crate::states::{Board, States};
use crate::subscription::{Subscription, pair};
use crate::transport::Dialer;

/// Requests on their way to the task. Whoever asks more waits.
const REQUESTS: usize = 256;

/// Subscriptions begun by the server that the application has not taken yet.
const OFFERS: usize = 128;

/// A client of a martlet server, which stays connected until it is closed or dropped. Clones are
/// handles of the same client.
#[derive(Debug, Clone)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    board: Arc<Board>,
    bell: Arc<Notify>,
    offers: Arc<Mutex<mpsc::Receiver<Subscription>>>,
    room: usize,
}

impl Client {
    /// A client of the server at `url`. It returns at once and connects in the background, where
    /// it stays connected; [`connected`](Self::connected) waits for it. It must be called within
    /// a tokio runtime.
    pub fn connect(url: &str, options: Options) -> Result<Self, Error> {
        Self::make(url, options, true)
    }

    /// The same, but it does not connect before [`start`](Self::start): what is subscribed to
    /// until then goes in the first frame, which saves a round trip.
    pub fn new(url: &str, options: Options) -> Result<Self, Error> {
        Self::make(url, options, false)
    }

    fn make(url: &str, options: Options, start: bool) -> Result<Self, Error> {
        let (requests, asked) = mpsc::channel(REQUESTS);
        let (offers, offered) = mpsc::channel(OFFERS);
        let client = Self {
            requests,
            board: Arc::new(Board::new()),
            bell: Arc::new(Notify::new()),
            offers: Arc::new(Mutex::new(offered)),
            room: options.subscription_events,
        };
        let parts = Parts {
            session: Session::new(settings(Address::parse(url)?, &options), random()?),
            dialer: dialer(url, &options)?,
            source: options.get_token,
            requests: asked,
            handle: client.requests.downgrade(),
            board: client.board.clone(),
            bell: client.bell.clone(),
            offers,
            room: client.room,
            start,
        };
        tokio::spawn(Driver::new(parts).run());
        Ok(client)
    }

    /// Connects, if it was made by [`new`](Self::new).
    pub async fn start(&self) -> Result<(), Error> {
        self.ask(Request::Start).await
    }

    /// What the connection is doing now.
    pub fn state(&self) -> State {
        self.board.present()
    }

    /// What the connection is doing now, and every change of it.
    pub fn states(&self) -> States {
        self.board.states()
    }

    /// Waits until it is connected, or until it is clear that it will not be.
    pub async fn connected(&self) -> Result<Connection, Error> {
        let mut states = self.states();
        loop {
            match states.next().await {
                Some(State::Connected(connection)) => return Ok(connection),
                Some(State::Disconnected { why, retry_in: None }) => return Err(why),
                Some(_) => {}
                None => return Err(Error::Closed),
            }
        }
    }

    /// Follows `channel`. Whether the server lets it is the subscription's first event.
    pub async fn subscribe(
        &self,
        channel: &str,
        options: SubscribeOptions,
    ) -> Result<Subscription, Error> {
        let channel = name(channel)?;
        let beginning = Beginning {
            start: options.start(),
            token: options.token.map(String::into_boxed_str),
            renewable: options.get_token.is_some(),
        };
        let (requests, bell) = (self.requests.clone(), self.bell.clone());
        let (reader, subscription) = pair(channel.clone(), self.room, bell, requests);
        let (done, begun) = oneshot::channel();
        let source = options.get_token;
        self.ask(Request::Subscribe { channel, beginning, source, reader, done }).await?;
        begun.await.map_err(|_| self.why_ended())??;
        Ok(subscription)
    }

    /// The next subscription that the server begins by itself, as the token or the backend say.
    /// `None` when the client has ended. Needs [`Options::take_offered`].
    pub async fn offered(&self) -> Option<Subscription> {
        self.offers.lock().await.recv().await
    }

    /// Publishes, and waits until the store took it. While there is no connection it waits, for
    /// [`Options::answer_timeout`] at most; a retry after a lost connection publishes once.
    pub async fn publish(&self, channel: &str, message: Message) -> Result<Appended, Error> {
        let channel = name(channel)?;
        match self.reply(|answer| Request::Publish(channel, message, answer)).await? {
            Reply::Published(appended) => Ok(appended),
            other => Err(unexpected(&other)),
        }
    }

    /// Reads a page of a channel's history.
    pub async fn history(&self, channel: &str, query: HistoryQuery) -> Result<HistoryPage, Error> {
        let history = query.of(name(channel)?);
        match self.reply(|answer| Request::History(history, answer)).await? {
            Reply::History(page) => Ok(*page),
            other => Err(unexpected(&other)),
        }
    }

    /// Who is in a channel; the number counts those beyond the server's page too.
    pub async fn presence(&self, channel: &str) -> Result<(Vec<Member>, usize), Error> {
        let channel = name(channel)?;
        match self.reply(|answer| Request::Presence(channel, answer)).await? {
            Reply::Presence(members, count) => Ok((members, count)),
            other => Err(unexpected(&other)),
        }
    }

    /// The time to the server and back.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let begun = Instant::now();
        self.reply(Request::Ping).await?;
        Ok(begun.elapsed())
    }

    /// Where the client stands in every channel it follows. A subscription's own
    /// [`position`](Subscription::position) says how far its reader is.
    pub async fn cursor(&self) -> Result<Cursor, Error> {
        let (answer, positions) = oneshot::channel();
        self.ask(Request::Positions(answer)).await?;
        positions.await.map(Cursor::new).map_err(|_| self.why_ended())
    }

    /// Ends the client: what was sent is on its way, what waits is told [`Error::Closed`].
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // A client that has ended already is closed.
        if self.ask(Request::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }

    /// Cuts the connection as a bad network would, for tests of what comes after.
    #[doc(hidden)]
    pub async fn kill_connection(&self) {
        let _ = self.ask(Request::Cut).await;
    }

    async fn ask(&self, request: Request) -> Result<(), Error> {
        self.requests.send(request).await.map_err(|_| self.why_ended())
    }

    async fn reply(&self, request: impl FnOnce(Answer) -> Request) -> Result<Reply, Error> {
        let (answer, reply) = oneshot::channel();
        self.ask(request(answer)).await?;
        reply.await.map_err(|_| self.why_ended())?
    }

    fn why_ended(&self) -> Error {
        why_ended(&self.state())
    }
}

/// Reads a channel's name.
pub fn name(channel: &str) -> Result<ChannelName, Error> {
    ChannelName::parse(channel).map_err(Error::Channel)
}

/// An answer of another kind than was asked for.
fn unexpected(reply: &Reply) -> Error {
    let kind = match reply {
        Reply::Published(_) => "published",
        Reply::History(_) => "history",
        Reply::Presence(..) => "presence",
        Reply::Pong => "pong",
    };
    Error::Foreign(format!("{kind} answers another request"))
}

/// Bits that no other client has.
pub fn random() -> Result<u128, Error> {
    let mut bytes = [0; 16];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| Error::Lost(format!("the system gives no random bits: {error}")))?;
    Ok(u128::from_le_bytes(bytes))
}

fn dialer(url: &str, options: &Options) -> Result<Dialer, Error> {
    let tls = options.tls.config()?;
    Ok(Dialer {
        http: Http::new(Address::parse(url)?, tls.clone()),
        tls: Arc::new(tls),
        transport: options.transport,
        wire: wire(options),
        frame_bytes: options.frame_bytes,
    })
}

/// An event stream is text, so only a socket carries Protobuf.
fn wire(options: &Options) -> Wire {
    match options.transport {
        Transport::WebSocket => options.wire,
        Transport::Sse => Wire::Json,
    }
}

fn settings(home: Address, options: &Options) -> Settings {
    Settings {
        home,
        wire: wire(options),
        token: options.token.as_deref().map(Into::into),
        renewable: options.get_token.is_some(),
        agent: options.agent.as_str().into(),
        backoff_min: options.backoff_min,
        backoff_max: options.backoff_max,
        connect_timeout: options.connect_timeout,
        answer_timeout: options.answer_timeout,
        waiting: options.waiting,
        waiting_bytes: options.waiting_bytes,
        take_offered: options.take_offered,
    }
}
