//! How events and publications are written on the simulated connections: the real codecs, in the
//! simplest framing that has frames. Native frames are preceded by their length, as a WebSocket
//! does it; plain events are lines, as server-sent events are.

use bytes::Bytes;
use martlet_core::hub::{Wire, Wires};
use martlet_core::model::{ChannelName, Cursor, Publication};
use martlet_core::session::{Answer, Event, Member};
use martlet_protocol::native::{json, proto};
use martlet_protocol::plain::{PlainEvent, publication_id};

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `martlet.v1.json`.
    Json,
    /// `martlet.v1.proto`.
    Proto,
    /// A plain stream.
    Plain {
        /// Whole publications instead of their data alone.
        envelope: bool,
        /// Of more than one channel, so that every event is followed by the reader's cursor.
        several: bool,
    },
}

impl Door {
    /// The wire as a lane knows it.
    pub fn wire(self) -> Wire {
        match self {
            Self::Json => Wire { number: 0, cursor: false },
            Self::Proto => Wire { number: 1, cursor: false },
            Self::Plain { envelope, several } => {
                Wire { number: 2 + u8::from(envelope), cursor: several }
            }
        }
    }

    fn of(wire: Wire) -> Self {
        match wire.number {
            0 => Self::Json,
            1 => Self::Proto,
            number => Self::Plain { envelope: number == 3, several: wire.cursor },
        }
    }

    /// Whether the client can answer.
    pub fn answers(self) -> bool {
        matches!(self, Self::Json | Self::Proto)
    }
}

/// The bytes before each native frame that say how long it is.
pub const LENGTH_BYTES: usize = 4;

/// The encoders of one worker.
#[derive(Debug, Default)]
pub struct Encoders;

impl Encoders {
    /// One event for one client, with the id that a plain event is to have; empty if the door
    /// has no words for it.
    pub fn answer(&self, door: Door, answer: &Answer, id: Option<&Cursor>) -> Bytes {
        let mut out = Vec::new();
        match (door, &answer.event) {
            (Door::Json, _) => framed(&mut out, |out| json::encode_answer(answer, out)),
            (Door::Proto, _) => framed(&mut out, |out| proto::encode_answer(answer, out)),
            (Door::Plain { .. }, Event::Ping) => out.extend_from_slice(b":\n\n"),
            (Door::Plain { envelope, .. }, event) => {
                if let Some(event) = PlainEvent::of(event, envelope) {
                    write_plain(&event, id.map(ToString::to_string).as_deref(), &mut out);
                    out.push(b'\n');
                }
            }
        }
        out.into()
    }

    /// The first lines of a plain stream: when to come back, and a comment.
    pub fn opening(&self) -> Bytes {
        Bytes::from_static(b"retry: 2000\n: martlet\n\n")
    }

    /// A plain reader's cursor as an event of its own.
    pub fn place(&self, cursor: &Cursor) -> Bytes {
        format!("id: {cursor}\n\n").into()
    }
}

impl Wires for Encoders {
    fn publication(&mut self, wire: Wire, publication: &Publication, out: &mut Vec<u8>) {
        match Door::of(wire) {
            Door::Json => framed(out, |out| json::encode_publication(publication, out)),
            Door::Proto => framed(out, |out| proto::encode_publication(publication, out)),
            Door::Plain { envelope, several } => {
                let id = (!several).then(|| publication_id(publication));
                write_plain(&PlainEvent::publication(publication, envelope), id.as_deref(), out);
                if !several {
                    out.push(b'\n');
                }
            }
        }
    }

    fn join(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
        match Door::of(wire) {
            Door::Json => framed(out, |out| json::encode_join(channel, member, out)),
            Door::Proto => framed(out, |out| proto::encode_join(channel, member, out)),
            Door::Plain { .. } => {}
        }
    }

    fn leave(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
        match Door::of(wire) {
            Door::Json => framed(out, |out| json::encode_leave(channel, member, out)),
            Door::Proto => framed(out, |out| proto::encode_leave(channel, member, out)),
            Door::Plain { .. } => {}
        }
    }

    fn cursor(&mut self, _wire: Wire, cursor: &Cursor, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("id: {cursor}\n\n").as_bytes());
    }
}

/// Appends what `write` appends, after its length.
pub fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    write(out);
    let len = (out.len() - begin - LENGTH_BYTES) as u32;
    out[begin..begin + LENGTH_BYTES].copy_from_slice(&len.to_be_bytes());
}

/// Takes the first whole frame out of what has arrived.
pub fn take_frame(arrived: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (length, _) = arrived.split_first_chunk::<LENGTH_BYTES>()?;
    let end = LENGTH_BYTES + u32::from_be_bytes(*length) as usize;
    let frame = arrived.get(LENGTH_BYTES..end)?.to_vec();
    arrived.drain(..end);
    Some(frame)
}

/// The lines of a plain event, without the empty one that ends it.
fn write_plain(event: &PlainEvent<'_>, id: Option<&str>, out: &mut Vec<u8>) {
    if let Some(retry) = event.retry {
        line(out, "retry", retry.as_millis().to_string().as_bytes());
    }
    if let Some(id) = id {
        line(out, "id", id.as_bytes());
    }
    if let Some(name) = &event.event {
        line(out, "event", name.as_bytes());
    }
    line(out, "data", &event.data);
}

fn line(out: &mut Vec<u8>, field: &str, value: &[u8]) {
    out.extend_from_slice(field.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}
