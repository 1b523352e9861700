//! One channel that the client follows: where it stands in it, and what is to be asked next.

use martlet_core::model::ChannelName;
use martlet_core::model::{Gap, GapReason, Offset, Position};
use martlet_core::session::{Start, Subscribe};
use martlet_core::time::Instant;

/// How things stand between client and server about a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// To be asked for when there is a connection.
    Wanted,
    /// Asked for by the command of this number.
    Asked(u32),
    /// Followed.
    Live,
    /// Left because its reader is behind.
    Paused,
    /// Waits for a token.
    Tokenless,
    /// Refused for now; asked for again at this time.
    Resting(Instant),
}

/// What a publication means for the reader's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one.
    Next,
    /// It was had already, or belongs to a subscription that has ended.
    Stale,
    /// Publications before it are missing and nobody said so: ask again from the place.
    Hole,
    /// The same hole again: the server cannot fill it.
    HoleForGood,
}

/// One channel that the client follows.
#[derive(Debug)]
pub struct Following {
    /// How things stand.
    pub standing: Standing,
    /// Where to go on: a position as soon as the server gave one.
    pub start: Start,
    /// The application's token for the channel.
    pub token: Option<Box<str>>,
    /// Whether the application can give another token.
    pub renewable: bool,
    /// Whether the present grant covers the channel, so that no token is needed.
    pub admitted: bool,
    /// Whether the token was fetched after the last refusal, so that another will not help.
    pub fresh: bool,
    /// Whether the reader fell behind and has not been told yet.
    pub behind: bool,
    /// Whether the server still has an older subscription, to be ended before a new one.
    pub entangled: bool,
    /// The place at which publications were missing the last time.
    hole: Option<Position>,
}

impl Following {
    /// A channel to be followed from `start`.
    pub fn new(start: Start, token: Option<Box<str>>, renewable: bool) -> Self {
        let lacking = renewable && token.is_none();
        Self {
            standing: if lacking { Standing::Tokenless } else { Standing::Wanted },
            start,
            token,
            renewable,
            admitted: false,
            fresh: false,
            behind: false,
            entangled: false,
            hole: None,
        }
    }

    /// The words by which it is asked for. `granted` is whether the connection's grant is used.
    pub fn ask(&self, channel: &ChannelName, granted: bool) -> Subscribe {
        let token = if granted && self.admitted { None } else { self.token.clone() };
        Subscribe { channel: channel.clone(), token, start: self.start }
    }

    /// The server lets the client follow from `position` on.
    pub fn handle_subscribed(&mut self, position: Position) {
        self.standing = Standing::Live;
        self.admitted = true;
        self.fresh = false;
        self.start = Start::After(position);
    }

    /// The connection is gone; an unanswered or a running subscription is to be asked for anew.
    pub fn handle_lost(&mut self) {
        self.entangled = false;
        if matches!(self.standing, Standing::Asked(_) | Standing::Live) {
            self.standing = Standing::Wanted;
        }
    }

    /// What a publication at `position` is, and moves the place behind it if it is the next.
    pub fn handle_publication(&mut self, position: Position) -> Arrival {
        let (Standing::Live, Start::After(place)) = (self.standing, self.start) else {
            return Arrival::Stale;
        };
        if position.epoch == place.epoch && position.offset <= place.offset {
            return Arrival::Stale;
        }
        if position.epoch == place.epoch && position.offset == place.offset + 1 {
            self.start = Start::After(position);
            return Arrival::Next;
        }
        if self.hole.replace(place) == Some(place) { Arrival::HoleForGood } else { Arrival::Hole }
    }

    /// The gap before a publication at `position`, for a hole that the server cannot fill.
    pub fn gap_before(&mut self, channel: &ChannelName, position: Position) -> Option<Gap> {
        let Start::After(place) = self.start else { return None };
        let same = place.epoch == position.epoch;
        let before: Offset = position.offset.saturating_sub(1);
        self.start = Start::After(position);
        Some(Gap {
            channel: channel.clone(),
            from: place.offset.saturating_add(1),
            to: same.then_some(before),
            reason: if same { GapReason::NotKept } else { GapReason::Epoch },
            resume: Position { epoch: position.epoch, offset: before },
        })
    }

    /// When it is asked for again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.standing {
            Standing::Resting(until) => Some(until),
            _ => None,
        }
    }
}
