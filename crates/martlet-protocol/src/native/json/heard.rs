//! Events, read from JSON: the client's side of `answer` and `publication`. What each event
//! looks like inside is in `body`.

mod body;

use serde_json::value::RawValue;

use martlet_core::session::{Answer, Event};

use self::body::{
    Body, Close, Connected, Error, Gap, Grant, History, Join, Lagged, Leave, Ping, Pong, Presence,
    Publication, Published, Refreshed, Subscribed, Unsubscribed,
};
use super::command::object;
use super::envelope::{self, Id, Word, Words};
use crate::FrameError;

/// The names of the events.
pub const EVENTS: &[&str] = &[
    "connected",
    "subscribed",
    "unsubscribed",
    "published",
    "publication",
    "history",
    "presence",
    "join",
    "leave",
    "gap",
    "lagged",
    "ping",
    "pong",
    "refreshed",
    "grant",
    "error",
    "close",
];

struct Events;

impl Words for Events {
    const ALL: &'static [&'static str] = EVENTS;
}

/// Reads a frame of events, in order, into `sink`. Events of a newer server that are not known
/// here are left out; a known event that cannot be read is an error.
pub fn decode_answer(frame: &[u8], mut sink: impl FnMut(Answer)) -> Result<(), FrameError> {
    for envelope in envelope::read::<Events>(frame, usize::MAX)? {
        let id = match envelope.id {
            Id::Absent => 0,
            Id::Number(id) => id,
            Id::Unreadable => return Err(FrameError::new("the id of an event is no number")),
        };
        match envelope.word {
            Word::One(name, raw) => sink(Answer { id, event: event(name, raw)? }),
            Word::Several => return Err(FrameError::new("two events in one object")),
            Word::None | Word::Unknown(_) => {}
        }
    }
    Ok(())
}

fn event(name: &'static str, raw: &RawValue) -> Result<Event, FrameError> {
    match name {
        "connected" => read::<Connected<'_>>(name, raw),
        "subscribed" => read::<Subscribed<'_>>(name, raw),
        "unsubscribed" => read::<Unsubscribed<'_>>(name, raw),
        "published" => read::<Published<'_>>(name, raw),
        "publication" => read::<Publication<'_>>(name, raw),
        "history" => read::<History<'_>>(name, raw),
        "presence" => read::<Presence<'_>>(name, raw),
        "join" => read::<Join<'_>>(name, raw),
        "leave" => read::<Leave<'_>>(name, raw),
        "gap" => read::<Gap<'_>>(name, raw),
        "lagged" => read::<Lagged<'_>>(name, raw),
        "ping" => read::<Ping>(name, raw),
        "pong" => read::<Pong>(name, raw),
        "refreshed" => read::<Refreshed<'_>>(name, raw),
        "grant" => read::<Grant>(name, raw),
        "error" => read::<Error<'_>>(name, raw),
        _ => read::<Close<'_>>(name, raw),
    }
}

fn read<'a, B: Body<'a>>(name: &str, raw: &'a RawValue) -> Result<Event, FrameError> {
    let body: B = object(raw)
        .map_err(|refused| FrameError::new(format!("{name}: {}", refused.refusal.message())))?;
    body.event()
}
