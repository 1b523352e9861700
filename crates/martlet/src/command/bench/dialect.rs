//! How the generator speaks with each kind of server: what is said first, how one follows a
//! channel and knows that it does, what a delivery looks like in the bytes that come, how one
//! publishes, and what has to be answered. A dialect is pure and has no state; whatever a client
//! has to remember is in its [connection](super::connection).

use std::fmt::Debug;
use std::io::BufRead;

use super::door::Door;

mod broadcast;
mod centrifugo;
mod events;
mod http;
mod lines;
pub mod martlet;
mod mosquitto;
mod nats;
mod nchan;
mod poll;
mod redis;
mod socketio;

pub use http::head;
pub use redis::write_command;

/// What messages travel in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A WebSocket with texts.
    Text,
    /// A WebSocket with bytes, in which a message may be cut anywhere.
    Binary,
    /// The response to one request, which does not end.
    Response,
    /// The bare connection.
    Plain,
}

/// Who speaks.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The server's door.
    pub door: &'a Door,
    /// The channel that it follows, if it does.
    pub channel: Option<usize>,
}

impl Who<'_> {
    /// The name of its channel.
    pub fn name(&self) -> Option<String> {
        self.channel.map(|channel| self.door.channel(channel))
    }
}

/// What a message of the server comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A publication. The first twenty digits that stand together are its number.
    Publication(&'a [u8]),
    /// The client is let in, and follows its channel if it has one.
    Joined,
    /// This is to be said now.
    Answer(Vec<u8>),
    /// Publications are lost: what comes next is not the next one.
    Gap,
    /// The client has fallen behind, and is told so.
    Lagged,
    /// The server does not want what was asked of it.
    Refused(String),
    /// Nothing that matters here.
    Nothing,
}

/// How one kind of server is spoken with.
pub trait Dialect: Debug + Sync {
    /// What messages travel in.
    fn carrier(&self) -> Carrier;

    /// The first bytes on a new connection.
    fn first(&self, who: Who<'_>) -> Vec<u8>;

    /// Whether the client is let in as soon as those were answered; where nothing is, as soon as
    /// they were sent.
    fn lets_in(&self, _who: Who<'_>) -> bool {
        false
    }

    /// What is said first on a new WebSocket; nothing if it is empty.
    fn greeting(&self, _who: Who<'_>) -> Vec<u8> {
        Vec::new()
    }

    /// The first message in the bytes that have come, and its length; `None` if it is not whole.
    /// Called for every delivery, so it allocates nothing for those.
    fn next<'a>(&self, who: Who<'_>, bytes: &'a [u8]) -> Option<(Heard<'a>, usize)>;

    /// Whether one can publish in it.
    fn publishes(&self) -> bool {
        true
    }

    /// Writes a publication, into no more than the carrier.
    fn publish(&self, door: &Door, channel: usize, data: &[u8], out: &mut Vec<u8>);
}

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Martlet,
    Centrifugo,
    Nchan,
    Mosquitto,
    Nats,
    Socketio,
    Broadcast,
    Mercure,
    Redis,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Martlet,
        Self::Centrifugo,
        Self::Nchan,
        Self::Mosquitto,
        Self::Nats,
        Self::Socketio,
        Self::Broadcast,
        Self::Mercure,
        Self::Redis,
    ];

    /// What they are called.
    pub const NAMES: [&'static str; 9] = [
        "martlet",
        "centrifugo",
        "nchan",
        "mosquitto",
        "nats",
        "socketio",
        "broadcast",
        "mercure",
        "redis",
    ];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|at| Self::ALL[at])
    }

    /// How those speak who follow, and those who only publish.
    pub fn dialects(self) -> (&'static dyn Dialect, &'static dyn Dialect) {
        match self {
            Self::Martlet => (&martlet::Martlet, &martlet::Martlet),
            Self::Centrifugo => (&centrifugo::Centrifugo, &centrifugo::Centrifugo),
            Self::Nchan => (&nchan::Nchan, &http::Posts::NCHAN),
            Self::Mosquitto => (&mosquitto::Mosquitto, &mosquitto::Mosquitto),
            Self::Nats => (&nats::Nats, &nats::Nats),
            Self::Socketio => (&socketio::Socketio, &socketio::Socketio),
            Self::Broadcast => (&broadcast::Broadcast, &broadcast::Broadcast),
            Self::Mercure => (&events::Events::MERCURE, &http::Posts::MERCURE),
            Self::Redis => (&redis::Redis, &redis::Redis),
        }
    }
}

/// How the readers of a martlet come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// WebSocket, the native protocol
    Websocket,
    /// Server-sent events, plain
    Sse,
    /// A response with an object a line, plain
    Stream,
    /// Long polls, plain
    Poll,
}

impl Transport {
    /// How one speaks there.
    pub fn dialect(self) -> &'static dyn Dialect {
        match self {
            Self::Websocket => &martlet::Martlet,
            Self::Sse => &events::Events::MARTLET,
            Self::Stream => &lines::Lines,
            Self::Poll => &poll::Poll,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Sse => "sse",
            Self::Stream => "stream",
            Self::Poll => "poll",
        }
    }
}

/// The handshake of a WebSocket.
pub fn upgrade(door: &Door, path: &str, protocol: Option<&str>) -> Vec<u8> {
    let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: bWFydGxldC1iZW5jaG1rLg==\r\nSec-WebSocket-Version: 13\r\n{}\r\n",
        door.host,
        protocol.unwrap_or_default()
    )
    .into_bytes()
}

/// The length of the first line with its end, if it is whole.
fn line(bytes: &[u8]) -> Option<usize> {
    // It searches several bytes at once, and reading from bytes that are there cannot fail.
    let length = (&*bytes).skip_until(b'\n').unwrap_or(0);
    (length > 0 && bytes[length - 1] == b'\n').then_some(length)
}

/// Words of the server, not too many of them.
fn quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).trim_end().to_owned()
}

fn refused(bytes: &[u8]) -> Heard<'static> {
    Heard::Refused(format!("the server refused: {}", quoted(bytes)))
}

#[cfg(test)]
mod tests;
