//! What a client knows of one channel it follows, and the promises it was given about it: every
//! publication in order, once, or a gap that names exactly what is missing. It keeps no list of
//! what it has seen and removes no repeats: it must not need to.

use martlet_core::model::{ChannelName, Gap, Offset, Position, Publication, UnixMillis};
use martlet_core::session::{Start, Subscribed};

use crate::record::{Checked, Record, Violation, hold};

/// As long as a channel has fewer publications than this, its namespace `keep` has them all.
const ALL_KEPT: u64 = 1_000;

/// Where a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There is none on this connection.
    Off,
    /// It was asked for.
    Asked(Start),
    /// It began with something missing; the gap is told next.
    Missing(Position),
    /// Publications come.
    On,
}

/// One channel of one client.
#[derive(Debug, Clone)]
pub struct Follower {
    channel: ChannelName,
    /// The last position it has; kept from connection to connection.
    pub place: Option<Position>,
    /// Where the subscription is.
    pub stage: Stage,
    /// Whether the end was asked for.
    pub ending: bool,
    /// How many publications it got.
    pub received: u64,
}

impl Follower {
    /// Of `channel`, not followed yet.
    pub fn new(channel: ChannelName) -> Self {
        Self { channel, place: None, stage: Stage::Off, ending: false, received: 0 }
    }

    /// The connection is gone.
    pub fn handle_loss(&mut self) {
        (self.stage, self.ending) = (Stage::Off, false);
    }

    /// The subscription began.
    pub fn handle_subscribed(&mut self, subscribed: &Subscribed, record: &Record) -> Checked {
        let Stage::Asked(start) = self.stage else {
            return Err(self.broken("subscribed without having been asked"));
        };
        let Subscribed { position, head, recovered, .. } = *subscribed;
        let known = record.rank(&self.channel, position.epoch).is_some();
        hold(known, || format!("{}: began in an unknown epoch {position:?}", self.channel))?;
        let newest = record.head(&self.channel, position.epoch);
        hold(position.offset <= head && head <= newest, || {
            format!(
                "{}: began at {position:?}, head {head}, the store is at {newest}",
                self.channel
            )
        })?;
        self.stage = match start {
            Start::After(seen) if recovered => {
                hold(position == seen, || {
                    format!("{}: recovered from {seen:?} at {position:?}", self.channel)
                })?;
                Stage::On
            }
            Start::After(seen) => Stage::Missing(seen),
            Start::Since(time) if !recovered => {
                self.check_since(time, position, head, record)?;
                Stage::On
            }
            _ if recovered => return Err(self.broken("recovered without a position")),
            _ => Stage::On,
        };
        self.place = Some(position);
        Ok(())
    }

    /// Where nothing has left the history, a reader that asked for a time begins with the first
    /// publication of that time or later.
    fn check_since(
        &self,
        time: UnixMillis,
        begin: Position,
        head: Offset,
        record: &Record,
    ) -> Checked {
        if self.channel.namespace() != Some("keep") || head >= ALL_KEPT {
            return Ok(());
        }
        let at = |offset| record.at(&self.channel, Position { offset, ..begin });
        let early = at(begin.offset).is_some_and(|last| last.time >= time);
        let next = at(begin.offset + 1).filter(|next| next.position.offset <= head);
        let late = next.is_some_and(|next| next.time < time);
        hold(!early && !late, || format!("{}: began at {begin:?} since {time:?}", self.channel))
    }

    /// A publication came.
    pub fn handle_publication(&mut self, publication: &Publication, record: &Record) -> Checked {
        let place = self.place_on("a publication")?;
        let position = publication.position;
        let next = Position { offset: place.offset + 1, ..place };
        hold(position == next, || format!("{}: {position:?} came after {place:?}", self.channel))?;
        record.check(publication)?;
        self.place = Some(position);
        self.received += 1;
        Ok(())
    }

    /// A gap was told.
    pub fn handle_gap(&mut self, gap: &Gap, record: &Record) -> Checked {
        let (seen, begun) = match (self.stage, self.place) {
            (Stage::Missing(seen), Some(begun)) => (seen, Some(begun)),
            _ => (self.place_on("a gap")?, None),
        };
        hold(gap.from == seen.offset.saturating_add(1), || {
            format!("{}: a gap from {} after {seen:?}", self.channel, gap.from)
        })?;
        if let Some(begun) = begun {
            hold(gap.resume == begun, || {
                format!("{}: began at {begun:?} but the gap ends at {:?}", self.channel, gap.resume)
            })?;
        }
        self.check_gap_end(seen, gap, record)?;
        (self.stage, self.place) = (Stage::On, Some(gap.resume));
        Ok(())
    }

    /// Within an epoch a gap ends where the stream goes on; a gap of another kind leads to an
    /// epoch that is younger, or back from where nobody has been.
    fn check_gap_end(&self, seen: Position, gap: &Gap, record: &Record) -> Checked {
        let rank = |position: Position| record.rank(&self.channel, position.epoch);
        match gap.to {
            Some(to) => hold(
                seen.epoch == gap.resume.epoch && to == gap.resume.offset && to >= gap.from,
                || format!("{}: a gap to {to} after {seen:?}: {gap:?}", self.channel),
            ),
            None if seen.epoch == gap.resume.epoch => hold(seen.offset > gap.resume.offset, || {
                format!("{}: a gap without an end in one epoch: {gap:?}", self.channel)
            }),
            None => hold(rank(gap.resume).is_some(), || {
                format!("{}: a gap into an unknown epoch: {gap:?}", self.channel)
            }),
        }
    }

    /// It fell behind.
    pub fn handle_lagged(&mut self, offset: u64, head: u64) -> Checked {
        let place = self.place_on("lagged")?;
        hold(offset == place.offset && offset <= head, || {
            format!("{}: lagged at {offset} (head {head}), but is at {place:?}", self.channel)
        })
    }

    /// Somebody came or went.
    pub fn handle_moved(&mut self) -> Checked {
        self.place_on("a join or leave").map(drop)
    }

    /// The subscription ended, perhaps before it began.
    pub fn handle_unsubscribed(&mut self) -> Checked {
        if !matches!(self.stage, Stage::Asked(_)) {
            self.place_on("unsubscribed")?;
        }
        self.handle_loss();
        Ok(())
    }

    fn place_on(&self, what: &str) -> Result<Position, Violation> {
        match (self.stage, self.place) {
            (Stage::On, Some(place)) => Ok(place),
            _ => Err(self.broken(what)),
        }
    }

    fn broken(&self, what: &str) -> Violation {
        let Self { channel, stage, place, .. } = self;
        Violation(format!("{channel}: {what} while {stage:?} at {place:?}"))
    }
}
