//! A client's state on a node, and the words in which it asks and is told.

mod command;
mod event;
mod identity;

pub use command::{Command, Connect, History, Numbered, Refresh, Start, Subscribe};
pub use event::{Answer, Connected, Event, HistoryPage, Member, Subscribed};
pub use identity::{ChannelGrant, Identity, Pattern, Permissions, TooManyRules, Verb, Verbs};
