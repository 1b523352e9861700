//! A client's state on a node, and the words in which it asks and is told.

mod command;
mod event;

pub use command::{Command, Connect, History, Numbered, Refresh, Start, Subscribe};
pub use event::{Answer, Connected, Event, HistoryPage, Member, Subscribed};
