//! The wires: which grammar in which framing, and the encoding of everything that is written.
//!
//! A kind of wire packs into the one byte by which the lane tells wires apart. The bytes of a
//! shared frame hold nothing of one connection.

use bytes::Bytes;
use martlet_core::hub::{Wire, Wires};
use martlet_core::model::{ChannelName, Cursor, Publication};
use martlet_core::session::{Answer, Event, Member};
use martlet_protocol::native::{json, proto};
use martlet_protocol::plain::{PlainEvent, publication_id};
use martlet_transport::framing::{Framing, LAST_CHUNK, frame};
use martlet_transport::sse;
use martlet_transport::websocket::{Deflater, encoder};

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// `martlet.v1.json`.
    Json,
    /// `martlet.v1.proto`.
    Proto,
    /// Plain events: the data alone.
    Plain,
    /// Plain events: whole publications.
    Envelope,
}

/// How it is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// WebSocket messages.
    WebSocket,
    /// WebSocket messages, deflated.
    Deflated,
    /// Server-sent events in chunks.
    Chunked,
    /// Server-sent events as they are.
    Raw,
}

/// A kind of wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireKind {
    /// What is said.
    pub grammar: Grammar,
    /// How it is carried.
    pub carrier: Carrier,
    /// Whether each event is followed by the reader's own cursor.
    pub cursor: bool,
}

const GRAMMARS: [Grammar; 4] = [Grammar::Json, Grammar::Proto, Grammar::Plain, Grammar::Envelope];
const CARRIERS: [Carrier; 4] =
    [Carrier::WebSocket, Carrier::Deflated, Carrier::Chunked, Carrier::Raw];

impl WireKind {
    /// The wire as the lane knows it.
    pub fn wire(self) -> Wire {
        Wire { number: self.grammar as u8 * 4 + self.carrier as u8, cursor: self.cursor }
    }

    fn of(wire: Wire) -> Self {
        Self {
            grammar: GRAMMARS[usize::from(wire.number / 4) % 4],
            carrier: CARRIERS[usize::from(wire.number % 4)],
            cursor: wire.cursor,
        }
    }

    /// Whether it speaks martlet's own protocol.
    pub fn native(self) -> bool {
        matches!(self.grammar, Grammar::Json | Grammar::Proto)
    }

    /// Whether it is carried by WebSocket.
    pub fn web_socket(self) -> bool {
        matches!(self.carrier, Carrier::WebSocket | Carrier::Deflated)
    }

    fn framing(self) -> Framing {
        match (self.carrier, self.grammar) {
            (Carrier::Chunked, _) => Framing::Chunked,
            (Carrier::Raw, _) => Framing::Raw,
            (Carrier::WebSocket, Grammar::Proto) => Framing::WsBinary,
            (Carrier::WebSocket, _) => Framing::WsText,
            (Carrier::Deflated, Grammar::Proto) => Framing::WsBinaryDeflated,
            (Carrier::Deflated, _) => Framing::WsTextDeflated,
        }
    }
}

/// Encodes for all wires of one worker. Holds scratch space and the compressor.
pub struct Encoders {
    deflater: Deflater,
    message: Vec<u8>,
    event: Vec<u8>,
}

impl Encoders {
    /// Encoders that deflate at `level` (1 is fastest, 9 smallest).
    pub fn new(level: u32) -> Self {
        Self { deflater: Deflater::new(level), message: Vec::new(), event: Vec::new() }
    }

    /// One event for one client, as a frame; empty if the wire has no words for it.
    pub fn answer(&mut self, kind: WireKind, answer: &Answer) -> Bytes {
        self.answer_at(kind, answer, &Cursor::default())
    }

    /// The same for an event that moves the reader's place: a plain stream says its cursor.
    pub fn answer_at(&mut self, kind: WireKind, answer: &Answer, cursor: &Cursor) -> Bytes {
        let mut out = Vec::new();
        match (kind.grammar, &answer.event) {
            (_, Event::Ping) if !kind.web_socket() => self.comment(kind, "", &mut out),
            (Grammar::Json | Grammar::Proto, _) => {
                self.native(kind, &mut out, |grammar, message| match grammar {
                    Grammar::Proto => proto::encode_answer(answer, message),
                    _ => json::encode_answer(answer, message),
                })
            }
            (Grammar::Plain | Grammar::Envelope, event) => {
                let envelope = kind.grammar == Grammar::Envelope;
                if let Some(mut event) = PlainEvent::of(event, envelope) {
                    event.id = cursor.iter().next().map(|_| cursor.to_string());
                    self.plain(kind, &event, false, &mut out);
                }
            }
        }
        out.into()
    }

    /// A plain reader's cursor as an event of its own.
    pub fn place(&mut self, kind: WireKind, cursor: &Cursor) -> Bytes {
        let mut out = Vec::new();
        self.event.clear();
        // A cursor is made of letters, digits and `.~%-_:`, so it is never refused as an id.
        let _ = sse::write_event(&mut self.event, Some(&cursor.to_string()), None, None);
        frame(kind.framing(), &self.event, &mut self.deflater, &mut out);
        out.into()
    }

    /// The first lines of a plain stream: when to come back, and a comment.
    pub fn opening(&mut self, kind: WireKind, retry_ms: u64) -> Bytes {
        let mut out = Vec::new();
        self.event.clear();
        sse::write_retry(&mut self.event, retry_ms);
        sse::write_comment(&mut self.event, "martlet");
        frame(kind.framing(), &self.event, &mut self.deflater, &mut out);
        out.into()
    }

    /// What ends the connection after the last event.
    pub fn end(&mut self, kind: WireKind, code: u16, reason: &str) -> Bytes {
        let mut out = Vec::new();
        match kind.carrier {
            Carrier::WebSocket | Carrier::Deflated => {
                encoder::write_close(&mut out, Some(code), reason);
            }
            Carrier::Chunked => out.extend_from_slice(LAST_CHUNK),
            Carrier::Raw => {}
        }
        out.into()
    }

    fn comment(&mut self, kind: WireKind, text: &str, out: &mut Vec<u8>) {
        self.event.clear();
        sse::write_comment(&mut self.event, text);
        frame(kind.framing(), &self.event, &mut self.deflater, out);
    }

    /// A message of the native protocol, as a WebSocket message or an event without a name.
    fn native(
        &mut self,
        kind: WireKind,
        out: &mut Vec<u8>,
        write: impl FnOnce(Grammar, &mut Vec<u8>),
    ) {
        self.message.clear();
        write(kind.grammar, &mut self.message);
        if kind.web_socket() {
            return frame(kind.framing(), &self.message, &mut self.deflater, out);
        }
        self.event.clear();
        sse::write_data(&mut self.event, &self.message);
        self.event.push(b'\n');
        frame(kind.framing(), &self.event, &mut self.deflater, out);
    }

    /// A plain event. When it is `open` its last, empty line is left to the cursor that follows.
    fn plain(&mut self, kind: WireKind, event: &PlainEvent<'_>, open: bool, out: &mut Vec<u8>) {
        self.event.clear();
        if let Some(retry) = event.retry {
            sse::write_retry(&mut self.event, retry.as_millis() as u64);
        }
        let (id, name) = (event.id.as_deref(), event.event.as_deref());
        if sse::write_event(&mut self.event, id, name, Some(&event.data)).is_err() {
            // Names are checked when they are published, so this one came another way.
            self.event.clear();
            let _ = sse::write_event(&mut self.event, id, None, Some(&event.data));
        }
        if open {
            self.event.pop();
        }
        frame(kind.framing(), &self.event, &mut self.deflater, out);
    }
}

impl Wires for Encoders {
    fn publication(&mut self, wire: Wire, publication: &Publication, out: &mut Vec<u8>) {
        let kind = WireKind::of(wire);
        if kind.native() {
            return self.native(kind, out, |grammar, message| match grammar {
                Grammar::Proto => proto::encode_publication(publication, message),
                _ => json::encode_publication(publication, message),
            });
        }
        let event = PlainEvent::publication(publication, kind.grammar == Grammar::Envelope);
        let event = if kind.cursor { event } else { event.with_id(publication_id(publication)) };
        self.plain(kind, &event, kind.cursor, out);
    }

    fn join(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
        let kind = WireKind::of(wire);
        if kind.native() {
            self.native(kind, out, |grammar, message| match grammar {
                Grammar::Proto => proto::encode_join(channel, member, message),
                _ => json::encode_join(channel, member, message),
            });
        }
    }

    fn leave(&mut self, wire: Wire, channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
        let kind = WireKind::of(wire);
        if kind.native() {
            self.native(kind, out, |grammar, message| match grammar {
                Grammar::Proto => proto::encode_leave(channel, member, message),
                _ => json::encode_leave(channel, member, message),
            });
        }
    }

    fn cursor(&mut self, wire: Wire, cursor: &Cursor, out: &mut Vec<u8>) {
        let end = self.place(WireKind::of(wire), cursor);
        out.extend_from_slice(&end);
    }
}
