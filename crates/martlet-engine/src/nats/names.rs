//! How channels, keys and nodes are called on the server. Whatever a channel is called, its name
//! is one token of a subject, and no two have the same.

use martlet_core::model::{ChannelName, UnixMillis, base32_decode, base32_encode};
use martlet_core::stream::Keep;

#[cfg(test)]
mod tests;

/// Text as one token of a subject.
pub fn token(text: &str) -> String {
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(byte.into());
        } else {
            token.push_str(&format!("={byte:02x}"));
        }
    }
    token
}

/// Channels that keep the same have one stream, and this is what tells it from others.
pub fn class(keep: Keep) -> String {
    format!("{}_{}", keep.size, keep.age.as_millis())
}

/// One life of a stream. It is part of the subjects that are written to, so that whoever has not
/// heard of the newest life cannot write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Life {
    /// Random.
    pub id: u64,
    /// What was written in earlier lives after this time may stand where something else was lost.
    pub trusted: UnixMillis,
}

impl Life {
    /// The life as a token.
    pub fn token(self) -> String {
        let id = base32_encode(self.id.into(), 8);
        format!("{id}{}", base32_encode(self.trusted.0.into(), 10))
    }

    /// Reads the token.
    pub fn parse(token: &str) -> Option<Self> {
        let (id, trusted) = token.split_at_checked(8)?;
        let number = |text| base32_decode(text).and_then(|n| u64::try_from(n).ok());
        let whole = trusted.len() == 10;
        whole.then_some(Self { id: number(id)?, trusted: UnixMillis(number(trusted)?) })
    }
}

/// What things are called with one prefix.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// With this prefix.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// A stream.
    pub fn stream(&self, what: &str) -> String {
        format!("{}_{what}", self.prefix)
    }

    /// A subject that begins with the prefix.
    pub fn subject(&self, rest: &str) -> String {
        format!("{}.{rest}", self.prefix)
    }

    /// Where a channel is written to. `*` as life is any.
    pub fn channel(&self, class: &str, life: &str, channel: &ChannelName) -> String {
        format!("{}.c.{class}.{life}.{}", self.prefix, token(channel.as_str()))
    }

    /// Where everything of a channel is heard.
    pub fn news(&self, channel: &ChannelName) -> String {
        format!("{}.ch.{}.>", self.prefix, token(channel.as_str()))
    }

    /// Where it is kept what a key published.
    pub fn key(&self, channel: &ChannelName, key: &str) -> String {
        format!("{}.k.{}.{}", self.prefix, token(channel.as_str()), token(key))
    }

    /// Where a member is kept; `*` as client is any.
    pub fn member(&self, channel: &ChannelName, client: &str) -> String {
        format!("{}.m.{}.{client}", self.prefix, token(channel.as_str()))
    }
}

/// A token of a subject, from 0.
pub fn part(subject: &str, index: usize) -> Option<&str> {
    subject.split('.').nth(index)
}

/// A time as the server writes it, `2026-11-27T18:25:14.512086274Z`.
pub fn time(text: &str) -> Option<UnixMillis> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let fraction: String = text.get(19..)?.chars().filter(char::is_ascii_digit).collect();
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    // Days since 1970 of the Gregorian calendar, with years that begin in March.
    let year = year - i64::from(month <= 2);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    u64::try_from(seconds * 1_000 + millis).ok().map(UnixMillis)
}
