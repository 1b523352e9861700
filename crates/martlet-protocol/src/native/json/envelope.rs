//! The outside of an object in a frame: its `id` and which one of the known words it has. What
//! the word's value means is read elsewhere.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::FrameError;

/// The words that one direction knows: names of commands, or names of events.
pub(super) trait Words {
    /// All of them.
    const ALL: &'static [&'static str];
}

/// The `id` of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// There is none.
    Absent,
    /// A number from 1 to 4294967295.
    Number(u32),
    /// Something else, or several.
    Unreadable,
}

/// What an object has besides its `id`.
#[derive(Debug)]
pub(super) enum Word<'a> {
    /// Nothing.
    None,
    /// No known word; this is the first unknown one.
    Unknown(Cow<'a, str>),
    /// Exactly one known word, and its value.
    One(&'static str, &'a RawValue),
    /// More than one known word.
    Several,
}

/// One object of a frame.
#[derive(Debug)]
pub(super) struct Envelope<'a, W> {
    pub(super) id: Id,
    pub(super) word: Word<'a>,
    words: PhantomData<W>,
}

/// Reads the objects of a frame. At most `most + 1` of them: the last one shows that there are
/// more than `most`.
pub(super) fn read<'a, W: Words>(
    frame: &'a [u8],
    most: usize,
) -> Result<Vec<Envelope<'a, W>>, FrameError> {
    let text = std::str::from_utf8(frame).map_err(|_| FrameError::new("it is not UTF-8"))?;
    let objects = serde_json::Deserializer::from_str(text).into_iter();
    let read = objects.take(most.saturating_add(1)).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|error| FrameError::new(error.to_string()))?;
    if read.is_empty() {
        return Err(FrameError::new("there is nothing in it"));
    }
    Ok(read)
}

impl Id {
    fn and(self, raw: &RawValue) -> Self {
        match (self, raw.get().parse()) {
            (Self::Absent, Ok(id)) if id > 0 => Self::Number(id),
            _ => Self::Unreadable,
        }
    }
}

impl<'a> Word<'a> {
    fn and(self, word: &'static str, value: &'a RawValue) -> Self {
        match self {
            Self::None | Self::Unknown(_) => Self::One(word, value),
            Self::One(..) | Self::Several => Self::Several,
        }
    }

    fn and_unknown(self, word: Cow<'a, str>) -> Self {
        if let Self::None = self { Self::Unknown(word) } else { self }
    }
}

/// A key, borrowed from the frame where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct EnvelopeVisitor<W>(PhantomData<W>);

impl<'de, W: Words> Deserialize<'de> for Envelope<'de, W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor(PhantomData))
    }
}

impl<'de, W: Words> Visitor<'de> for EnvelopeVisitor<W> {
    type Value = Envelope<'de, W>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut id, mut word) = (Id::Absent, Word::None);
        while let Some(Key(key)) = map.next_key()? {
            if key == "id" {
                id = id.and(map.next_value()?);
            } else if let Some(known) = W::ALL.iter().find(|known| **known == key) {
                word = word.and(known, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
                word = word.and_unknown(key);
            }
        }
        Ok(Envelope { id, word, words: PhantomData })
    }
}
