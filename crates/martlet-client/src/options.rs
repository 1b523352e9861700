//! What a client can be told when it is made, and what a subscription can be told.

use std::fmt;
use std::time::Duration;

use martlet_core::model::{ChannelName, Position, UnixMillis};
use martlet_core::session::{History, Start};

use crate::tls::Tls;
use crate::token::TokenSource;

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// One socket for both directions.
    #[default]
    WebSocket,
    /// A held-open response down, requests up: goes wherever HTTP goes.
    Sse,
}

/// How frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wire {
    /// `martlet.v1.json`.
    #[default]
    Json,
    /// `martlet.v1.proto`; on WebSocket only.
    Proto,
}

/// Options of a [`Client`](crate::Client). Every queue inside it has its limit here.
#[derive(Clone)]
pub struct Options {
    /// A token of the application; without one and without a source the client is anonymous.
    pub token: Option<String>,
    /// Where to get tokens when one is missing or ends.
    pub get_token: Option<TokenSource>,
    /// How frames travel.
    pub transport: Transport,
    /// How frames are written.
    pub wire: Wire,
    /// Which certificates are believed.
    pub tls: Tls,
    /// The name and version that the server's log shows.
    pub agent: String,
    /// The shortest wait after a try that failed. The first wait after a connection was lost lies
    /// anywhere between nothing and six times this; and see [`session::Retry`](crate::session::Retry).
    pub backoff_min: Duration,
    /// The longest wait before coming back, unless the server advises a longer one.
    pub backoff_max: Duration,
    /// How long a connection may take from the first packet to the server's `connected`.
    pub connect_timeout: Duration,
    /// How long a publication or a request may wait for its answer, reconnects included. Four
    /// minutes at most: the server remembers idempotency keys for five.
    pub answer_timeout: Duration,
    /// The most publications and requests that wait to be sent or answered.
    pub waiting: usize,
    /// The most bytes that those may hold.
    pub waiting_bytes: usize,
    /// The most events of one subscription that wait to be taken. A subscription that is not read
    /// stalls nobody: when it is full its channel is left, and when half of it has been taken the
    /// channel is followed again from where it was left. It then sees
    /// [`Lagged`](crate::SubscriptionEvent::Lagged) and what it missed, or a gap where the channel
    /// has no history; joins and leaves of the meantime are not repeated.
    pub subscription_events: usize,
    /// The largest frame that the server may send, in bytes.
    pub frame_bytes: usize,
    /// Whether subscriptions that the server begins are taken, see
    /// [`Client::offered`](crate::Client::offered).
    pub take_offered: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: None,
            get_token: None,
            transport: Transport::WebSocket,
            wire: Wire::Json,
            tls: Tls::default(),
            agent: concat!("martlet-rust/", env!("CARGO_PKG_VERSION")).into(),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            waiting: 1_024,
            waiting_bytes: 8 * 1024 * 1024,
            subscription_events: 1_024,
            frame_bytes: 16 * 1024 * 1024,
            take_offered: false,
        }
    }
}

impl fmt::Debug for Options {
    /// Tokens are secrets and stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("transport", &self.transport)
            .field("wire", &self.wire)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// Options of one subscription.
#[derive(Clone, Default)]
pub struct SubscribeOptions {
    /// Start with the first publication of this time or later.
    pub since: Option<UnixMillis>,
    /// Start after this position; it goes before `since`.
    pub position: Option<Position>,
    /// A token of the application for this channel.
    pub token: Option<String>,
    /// Where to get tokens for this channel when one is missing or has ended.
    pub get_token: Option<TokenSource>,
}

impl SubscribeOptions {
    /// Start with the first publication of `since` or later.
    pub fn since(since: UnixMillis) -> Self {
        Self { since: Some(since), ..Self::default() }
    }

    /// Start after `position`.
    pub fn after(position: Position) -> Self {
        Self { position: Some(position), ..Self::default() }
    }

    /// Where to start, in the server's words.
    pub(crate) fn start(&self) -> Start {
        match (self.position, self.since) {
            (Some(position), _) => Start::After(position),
            (None, Some(since)) => Start::Since(since),
            (None, None) => Start::Now,
        }
    }
}

impl fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeOptions").field("start", &self.start()).finish_non_exhaustive()
    }
}

/// Which page of a history to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The most publications on the page.
    pub limit: usize,
    /// Newest first.
    pub reverse: bool,
    /// Begin after this position; newest first: before it. It goes before `since`.
    pub position: Option<Position>,
    /// Begin with the first publication of this time or later.
    pub since: Option<UnixMillis>,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self { limit: 100, reverse: false, position: None, since: None }
    }
}

impl HistoryQuery {
    /// The newest `limit` publications, newest first.
    pub fn newest(limit: usize) -> Self {
        Self { limit, reverse: true, ..Self::default() }
    }

    /// The question about `channel`, in the server's words.
    pub(crate) fn of(self, channel: ChannelName) -> History {
        let position = self.position.map(Start::After);
        let start = position.or(self.since.map(Start::Since));
        History { channel, start, limit: self.limit, reverse: self.reverse }
    }
}
