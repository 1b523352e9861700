//! Where one reader of several channels stands, as the cursor in the ids of its events.

use martlet_core::model::{ChannelName, Cursor, Position};
use martlet_core::session::Event;

use super::PlainEvent;

/// A reader's place in each of its channels, in the order it named them.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<(ChannelName, Option<Position>)>);

impl Places {
    /// The places of a reader of `channels`, not yet known.
    pub fn new(channels: impl IntoIterator<Item = ChannelName>) -> Self {
        Self(channels.into_iter().map(|channel| (channel, None)).collect())
    }

    /// The reader got everything of `channel` up to `position`.
    pub fn advance(&mut self, channel: &ChannelName, position: Position) {
        match self.0.iter_mut().find(|(name, _)| name == channel) {
            Some((_, place)) => *place = Some(position),
            None => self.0.push((channel.clone(), Some(position))),
        }
    }

    /// The reader follows `channel` no more.
    pub fn remove(&mut self, channel: &ChannelName) {
        self.0.retain(|(name, _)| name != channel);
    }

    /// Whether it is known of every channel where the reader stands, so that a cursor misses
    /// none.
    pub fn known(&self) -> bool {
        self.0.iter().all(|(_, place)| place.is_some())
    }

    /// The cursor of the places that are known.
    pub fn cursor(&self) -> Cursor {
        let known = self.0.iter().filter_map(|(name, place)| Some((name.clone(), (*place)?)));
        Cursor::new(known.collect())
    }

    /// Follows an event and makes it plain, with the id it then has. Events that move no place
    /// have none, so that a reader keeps the one before.
    pub fn handle_event<'a>(&mut self, event: &'a Event, envelope: bool) -> Option<PlainEvent<'a>> {
        let moved = self.follow(event);
        let plain = PlainEvent::of(event, envelope)?;
        Some(if moved { plain.with_id(self.cursor().to_string()) } else { plain })
    }

    /// Moves the places as `event` says; whether it moved one.
    fn follow(&mut self, event: &Event) -> bool {
        match event {
            Event::Subscribed(subscribed) => {
                self.advance(&subscribed.channel, subscribed.position);
            }
            Event::Publication(it) => self.advance(&it.channel, it.position),
            Event::Gap(gap) => self.advance(&gap.channel, gap.resume),
            Event::Unsubscribed { channel, .. } => self.remove(channel),
            Event::Refused { channel: Some(channel), .. } => {
                let known = self.0.iter().any(|(name, place)| name == channel && place.is_some());
                if !known {
                    self.remove(channel);
                }
                return false;
            }
            _ => return false,
        }
        true
    }
}
