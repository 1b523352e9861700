//! Namespaces: the prefix rule that gives channels their options.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ChannelName;

#[cfg(test)]
mod tests;

/// Who may do a thing in a namespace's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Every client, with or without a token.
    Anyone,
    /// Every client whose token names a user.
    Users,
    /// Only clients whose token, or token for the channel, permits it.
    Granted,
    /// No client: only the backend.
    Backend,
}

/// What an acknowledged publication survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The loss of every client; not the loss of the node.
    Memory,
}

/// What happens to a reader that the log has left behind and the history cannot catch up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lagging {
    /// It is told its gap and goes on from the present.
    Gap,
    /// It is closed with a code, and may come back.
    Close,
}

/// Options of the channels of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The most publications a channel keeps; 0 keeps none.
    pub history_size: usize,
    /// How long a channel keeps a publication.
    pub history_age: Duration,
    /// Whether a client may catch up from the history when it comes back.
    pub recovery: bool,
    /// Whether channels know their members.
    pub presence: bool,
    /// Whether members are told of each other's coming and going.
    pub join_leave: bool,
    /// How long a lost client stays a member, so that a reconnect does not flap.
    pub presence_grace: Duration,
    /// Who may follow the channels.
    pub subscribe: Access,
    /// Which clients may publish.
    pub publish: Access,
    /// Which clients may read history by request.
    pub history: Access,
    /// Which clients may ask who is present.
    pub see_presence: Access,
    /// What an acknowledged publication survives.
    pub durability: Durability,
    /// What happens to a reader left behind where history cannot help.
    pub lagging: Lagging,
}

impl Default for Namespace {
    fn default() -> Self {
        Self {
            history_size: 0,
            history_age: Duration::from_secs(300),
            recovery: true,
            presence: false,
            join_leave: false,
            presence_grace: Duration::from_secs(20),
            subscribe: Access::Granted,
            publish: Access::Backend,
            history: Access::Granted,
            see_presence: Access::Granted,
            durability: Durability::Memory,
            lagging: Lagging::Gap,
        }
    }
}

impl Namespace {
    /// The options of development mode: everybody may do everything, and channels remember.
    pub fn open() -> Self {
        Self {
            history_size: 1_000,
            history_age: Duration::from_secs(3_600),
            presence: true,
            join_leave: true,
            subscribe: Access::Anyone,
            publish: Access::Anyone,
            history: Access::Anyone,
            see_presence: Access::Anyone,
            ..Self::default()
        }
    }
}

/// All namespaces of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespaces {
    /// Options of channels without a prefix; `None` refuses such channels.
    pub default: Option<Namespace>,
    /// Options by prefix.
    pub named: BTreeMap<Box<str>, Namespace>,
    /// Options of every prefix not named; `None` refuses such channels.
    pub unnamed: Option<Namespace>,
}

/// The channel's prefix names no namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no namespace for channel {0}")]
pub struct NamespacesError(pub ChannelName);

impl Namespaces {
    /// The options of `channel`.
    pub fn of(&self, channel: &ChannelName) -> Result<&Namespace, NamespacesError> {
        let found = match channel.namespace() {
            Some(prefix) => self.named.get(prefix).or(self.unnamed.as_ref()),
            None => self.default.as_ref(),
        };
        found.ok_or_else(|| NamespacesError(channel.clone()))
    }
}
