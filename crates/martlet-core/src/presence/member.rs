//! One client that is in a channel, as others see it, and its coming and going.

use bytes::Bytes;

use crate::model::{ClientId, UserId};

/// One client that is in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The client.
    pub client: ClientId,
    /// Its user, unless it is anonymous.
    pub user: Option<UserId>,
    /// What its token says about it, as JSON.
    pub info: Option<Bytes>,
}

/// A change that others are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// Somebody came.
    Join(Member),
    /// Somebody went.
    Leave(Member),
}
