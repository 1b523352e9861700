//! What a follower hears from a node, out of the JSON that comes.

use std::time::Duration;

use serde::Deserialize;

use crate::command::bench::board::DIGITS;

#[cfg(test)]
mod tests;

/// What one message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It is connected; what it comes back with.
    Connected {
        /// Who it is.
        grant: Box<str>,
        /// What it had.
        session: Box<str>,
    },
    /// A newer grant.
    Grant(Box<str>),
    /// It follows its channel, from here on.
    Subscribed {
        /// The identity of the channel's history.
        epoch: Box<str>,
        /// The last publication before those that come.
        offset: u64,
    },
    /// A publication.
    Publication {
        /// Its place in the channel.
        offset: u64,
        /// The number that its publisher gave it.
        number: u64,
    },
    /// Publications up to this place are lost.
    Gap(u64),
    /// A question whether it is there.
    Ping,
    /// The server closes: whether to come back, and when.
    Close {
        /// Whether.
        reconnect: bool,
        /// When.
        after: Option<Duration>,
    },
    /// Nothing that matters here.
    Nothing,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    publication: Option<Publication<'a>>,
    connected: Option<Connected>,
    grant: Option<Granted>,
    subscribed: Option<Subscribed>,
    gap: Option<Gap>,
    ping: Option<serde::de::IgnoredAny>,
    close: Option<Close>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Publication<'a> {
    offset: u64,
    #[serde(borrow)]
    data: &'a str,
}

#[derive(Deserialize)]
struct Connected {
    grant: Box<str>,
    session: Box<str>,
}

#[derive(Deserialize)]
struct Granted {
    grant: Box<str>,
}

#[derive(Deserialize)]
struct Subscribed {
    epoch: Box<str>,
    offset: u64,
}

#[derive(Deserialize)]
struct Gap {
    to: u64,
}

#[derive(Deserialize)]
struct Close {
    reconnect: bool,
    after: Option<u64>,
}

/// What a message says; `Err` if it is none of a server, or refuses what was asked.
pub fn heard(message: &[u8]) -> Result<Heard, String> {
    let said = || String::from_utf8_lossy(&message[..message.len().min(300)]).into_owned();
    let parsed: Message<'_> =
        serde_json::from_slice(message).map_err(|error| format!("{error}: {}", said()))?;
    Ok(match parsed {
        Message { error: Some(_), .. } => return Err(said()),
        Message { publication: Some(Publication { offset, data }), .. } => {
            let number = data.get(..DIGITS).and_then(|digits| digits.parse().ok());
            Heard::Publication { offset, number: number.ok_or_else(said)? }
        }
        Message { connected: Some(Connected { grant, session }), .. } => {
            Heard::Connected { grant, session }
        }
        Message { grant: Some(Granted { grant }), .. } => Heard::Grant(grant),
        Message { subscribed: Some(Subscribed { epoch, offset }), .. } => {
            Heard::Subscribed { epoch, offset }
        }
        Message { gap: Some(Gap { to }), .. } => Heard::Gap(to),
        Message { ping: Some(_), .. } => Heard::Ping,
        Message { close: Some(Close { reconnect, after }), .. } => {
            Heard::Close { reconnect, after: after.map(Duration::from_millis) }
        }
        _ => Heard::Nothing,
    })
}
