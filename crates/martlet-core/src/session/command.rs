//! What a client asks, in martlet's own words. Protocols decode into these; nothing here knows
//! how they were written on the wire.

use crate::model::{ChannelName, Cursor, Draft, Position, SessionKey, UnixMillis};

/// A command with the number by which the client will recognise the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// The client's number; 0 asks for no answer but errors.
    pub id: u32,
    /// What is asked.
    pub command: Command,
}

/// What a client can ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Says who it is. Always the first.
    Connect(Connect),
    /// Follows channels.
    Subscribe(Vec<Subscribe>),
    /// Stops following channels.
    Unsubscribe(Vec<ChannelName>),
    /// Publishes. The draft's `from` is filled in by the session.
    Publish(Draft),
    /// Reads a page of history.
    History(History),
    /// Asks who is in a channel.
    Presence(ChannelName),
    /// Asks for a sign of life.
    Ping,
    /// Gives a sign of life.
    Pong,
    /// Brings a newer token.
    Refresh(Refresh),
}

/// Who the client is, and what it followed when it was here before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connect {
    /// A token of the application.
    pub token: Option<Box<str>>,
    /// A grant of this cluster, instead of a token, when coming back.
    pub grant: Option<Box<str>>,
    /// The session it had, to be continued.
    pub session: Option<SessionKey>,
    /// The client software's name and version, for logs.
    pub agent: Option<Box<str>>,
    /// Channels to follow at once.
    pub subscribe: Vec<Subscribe>,
    /// Where the client was in channels that its token names, and that it need not.
    pub cursor: Cursor,
}

/// One channel to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// The channel.
    pub channel: ChannelName,
    /// A token of the application for this channel.
    pub token: Option<Box<str>>,
    /// Where to start.
    pub start: Start,
}

/// Where in a channel a reader starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the next publication.
    Now,
    /// With the publication after this position.
    After(Position),
    /// With the first publication of this time or later.
    Since(UnixMillis),
}

/// A page of history to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The channel.
    pub channel: ChannelName,
    /// Only publications on the far side of this place.
    pub start: Option<Start>,
    /// The most publications to answer; 0 asks for the position only.
    pub limit: usize,
    /// Newest first.
    pub reverse: bool,
}

/// A newer token, for the connection or for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The channel the token is for; `None` for the connection.
    pub channel: Option<ChannelName>,
    /// The token.
    pub token: Box<str>,
}
