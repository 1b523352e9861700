//! A client's state on a node: who it is, what it follows, and the words in which it asks and is
//! told. Sessions know nothing of sockets, frames and logs.

mod command;
mod event;
mod grant;
mod heartbeat;
mod identity;
mod machine;
mod policy;
mod polls;
mod repeats;
mod request;

pub use crate::presence::Member;
pub use command::{Command, Connect, History, Numbered, Refresh, Start, Subscribe};
pub use event::{Answer, Connected, Event, HistoryPage, Subscribed};
pub use grant::{Grant, GrantError, GrantKey};
pub use heartbeat::{Beat, Heartbeat, Pace};
pub use identity::{ChannelGrant, Identity, Pattern, Permissions, TooManyRules, Verb, Verbs};
pub use machine::{Opening, Output, Question, Rules, Session, Verdict};
pub use policy::may;
pub use polls::{Polled, Polls};
pub use repeats::Repeats;
pub use request::{ChannelState, Followed, Reply, Request};
