//! What a verified token says: who the client is, and what it may do where. Reading and checking
//! tokens is not here; that needs keys and a clock, and is the server's.

use std::fmt;

use bytes::Bytes;

use crate::model::{ChannelName, ChannelNameError, UnixMillis, UserId};

#[cfg(test)]
mod tests;

/// One thing a client may do in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Follow it.
    Subscribe,
    /// Publish in it.
    Publish,
    /// Read its history by request.
    History,
    /// See who is in it.
    Presence,
}

impl Verb {
    /// All verbs, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Subscribe, Self::Publish, Self::History, Self::Presence];

    /// The word for it in tokens and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::History => "history",
            Self::Presence => "presence",
        }
    }

    /// The verb of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == word)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of verbs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Verbs(u8);

impl Verbs {
    /// No verb.
    pub const NONE: Self = Self(0);

    /// Every verb.
    pub const ALL: Self = Self(0b1111);

    /// What a token for a channel permits when it does not say: to read all there is of the
    /// channel, and not to publish.
    pub const READ: Self = Self(Verb::Subscribe.bit() | Verb::History.bit() | Verb::Presence.bit());

    /// Whether `verb` is in the set.
    pub const fn has(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    /// The set with `verb` in it.
    pub const fn with(self, verb: Verb) -> Self {
        Self(self.0 | verb.bit())
    }

    /// Whether there is no verb in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The verbs of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |verb| self.has(*verb))
    }

    /// The set as four bits, for a grant.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of the bits that [`bits`](Self::bits) gave; `None` if there are foreign ones.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 { Some(Self(bits)) } else { None }
    }
}

impl FromIterator<Verb> for Verbs {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        verbs.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Verb::name).collect();
        f.write_str(&words.join(", "))
    }
}

impl fmt::Debug for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verbs({self})")
    }
}

/// Which channels a permission is about: one by its name, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// This channel only.
    Exact(ChannelName),
    /// Every channel whose name begins with this text; the empty text means every channel.
    Prefix(Box<str>),
}

impl Pattern {
    /// Reads a pattern: a channel's name, or the beginning of one followed by `*`. A `*` in any
    /// other place is an ordinary character.
    pub fn parse(text: &str) -> Result<Self, ChannelNameError> {
        match text.strip_suffix('*') {
            None => ChannelName::parse(text).map(Self::Exact),
            Some("") => Ok(Self::Prefix("".into())),
            Some(start) => ChannelName::parse(start).map(|_| Self::Prefix(start.into())),
        }
    }

    /// Whether `channel` is one of them. Names are compared byte by byte.
    pub fn matches(&self, channel: &ChannelName) -> bool {
        match self {
            Self::Exact(name) => name == channel,
            Self::Prefix(start) => channel.as_str().starts_with(&**start),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name.as_str()),
            Self::Prefix(start) => write!(f, "{start}*"),
        }
    }
}

/// What a client may do where. Rules only add: what any of them permits is permitted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions(Vec<(Pattern, Verbs)>);

/// An anonymous client's, which all of them share.
static NOBODY: Identity = Identity {
    user: None,
    expires: None,
    channels: Vec::new(),
    permissions: Permissions(Vec::new()),
    info: None,
};

/// There are more rules than [`Permissions::RULES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has at most {max} permissions, this one has {0}", max = Permissions::RULES_MAX)]
pub struct TooManyRules(pub usize);

impl Permissions {
    /// The most rules. Every rule may be looked at for every command, so the list stays short.
    pub const RULES_MAX: usize = 128;

    /// Makes permissions of `rules`.
    pub fn new(rules: Vec<(Pattern, Verbs)>) -> Result<Self, TooManyRules> {
        if rules.len() > Self::RULES_MAX {
            return Err(TooManyRules(rules.len()));
        }
        Ok(Self(rules))
    }

    /// Whether some rule permits `verb` in `channel`.
    pub fn allows(&self, channel: &ChannelName, verb: Verb) -> bool {
        self.0.iter().any(|(pattern, verbs)| verbs.has(verb) && pattern.matches(channel))
    }

    /// The rules.
    pub fn rules(&self) -> &[(Pattern, Verbs)] {
        &self.0
    }
}

/// Who a client is, as its token says; the default is an anonymous client without permissions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The user it acts for; `None` for an anonymous client, which may have permissions all
    /// the same.
    pub user: Option<UserId>,
    /// When the token ends.
    pub expires: Option<UnixMillis>,
    /// Channels to follow from the beginning, without asking. Being named here permits it.
    pub channels: Vec<ChannelName>,
    /// What it may do where, beyond what namespaces allow it anyway.
    pub permissions: Permissions,
    /// What members of its channels see about it, as JSON.
    pub info: Option<Bytes>,
}

impl Identity {
    /// The most channels a token may name to be followed at once.
    pub const CHANNELS_MAX: usize = 128;

    /// That of an anonymous client without any permission of its own.
    pub fn nobody() -> &'static Self {
        &NOBODY
    }

    /// The longest `info`, in bytes. It is sent to every member of every channel joined.
    pub const INFO_BYTES_MAX: usize = 4_096;

    /// Whether the token itself permits `verb` in `channel`.
    pub fn allows(&self, channel: &ChannelName, verb: Verb) -> bool {
        (verb == Verb::Subscribe && self.channels.contains(channel))
            || self.permissions.allows(channel, verb)
    }
}

/// What a token for one channel permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelGrant {
    /// The channel.
    pub channel: ChannelName,
    /// What its bearer may do there.
    pub verbs: Verbs,
    /// When the token ends.
    pub expires: Option<UnixMillis>,
}
