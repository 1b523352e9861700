//! The wires: which grammar in which framing, and the encoding of everything that is written.
//!
//! A kind of wire packs into the one byte by which the lane tells wires apart. The bytes of a
//! shared frame hold nothing of one connection.

use std::rc::Rc;

use bytes::Bytes;
use martlet_core::hub::{Wire, Wires};
use martlet_core::model::{ChannelName, Cursor, Data, Publication};
use martlet_core::session::{Answer, Event, Member};
use martlet_protocol::native::{json, proto};
use martlet_protocol::plain::{PlainEvent, publication_id};
use martlet_transport::framing::{Framing, LAST_CHUNK, frame};
use martlet_transport::layout::{self, Begin, Html, Items, Layout, Lines, Multipart, Sse};
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

/// How it is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A WebSocket message for each event.
    Message,
    /// Server-sent events.
    Events,
    /// A line for each event.
    Lines,
    /// A line for each event, in an answer that names the cursor at its end.
    Items,
    /// A script for each event.
    Page,
    /// A part for each event.
    Parts,
    /// A part for each event, which takes the place of the one before.
    Pictures,
}

/// How its bytes are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// As WebSocket messages.
    WebSocket,
    /// As WebSocket messages, deflated.
    Deflated,
    /// In chunks.
    Chunked,
    /// As they are.
    Raw,
}

/// A kind of wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireKind {
    /// What is said.
    pub grammar: Grammar,
    /// How it is laid out.
    pub form: Form,
    /// How it is carried.
    pub carrier: Carrier,
    /// Whether each event is followed by the reader's own cursor.
    pub cursor: bool,
}

const GRAMMARS: [Grammar; 4] = [Grammar::Json, Grammar::Proto, Grammar::Plain, Grammar::Envelope];
const CARRIERS: [Carrier; 4] =
    [Carrier::WebSocket, Carrier::Deflated, Carrier::Chunked, Carrier::Raw];
const FORMS: [Form; 8] = [
    Form::Message,
    Form::Events,
    Form::Lines,
    Form::Items,
    Form::Page,
    Form::Parts,
    Form::Pictures,
    Form::Message,
];

impl WireKind {
    /// The wire as the lane knows it.
    pub fn wire(self) -> Wire {
        let number = self.grammar as u8 + 4 * (self.carrier as u8 + 4 * self.form as u8);
        Wire { number, cursor: self.cursor }
    }

    fn of(wire: Wire) -> Self {
        Self {
            grammar: GRAMMARS[usize::from(wire.number % 4)],
            carrier: CARRIERS[usize::from(wire.number / 4 % 4)],
            form: FORMS[usize::from(wire.number / 16 % 8)],
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

/// The layouts of one worker. The boundary of parts is the same for all its readers, because they
/// share the bytes between two of them.
pub struct Layouts {
    parts: Multipart,
    pictures: Multipart,
}

impl Layouts {
    /// Layouts whose boundaries are made of `bits`, which are random.
    pub fn new(bits: u64) -> Self {
        Self { parts: Multipart::new(false, bits), pictures: Multipart::new(true, bits) }
    }

    /// The layout of a form. Messages have none, and are never asked for theirs.
    pub fn of(&self, form: Form) -> &dyn Layout {
        match form {
            Form::Message | Form::Events => &Sse,
            Form::Lines => &Lines,
            Form::Items => &Items,
            Form::Page => &Html,
            Form::Parts => &self.parts,
            Form::Pictures => &self.pictures,
        }
    }
}

/// Encodes for all wires of one worker. Holds scratch space and the compressor.
pub struct Encoders {
    layouts: Rc<Layouts>,
    deflater: Deflater,
    message: Vec<u8>,
    event: Vec<u8>,
}

impl Encoders {
    /// Encoders that deflate at `level` (1 is fastest, 9 smallest).
    pub fn new(layouts: Rc<Layouts>, level: u32) -> Self {
        let deflater = Deflater::new(level);
        Self { layouts, deflater, message: Vec::new(), event: Vec::new() }
    }

    /// One event for one client, as a frame; empty if the wire has no words for it.
    pub fn answer(&mut self, kind: WireKind, answer: &Answer) -> Bytes {
        self.answer_at(kind, answer, &Cursor::default())
    }

    /// The same for an event that moves the reader's place: a plain stream says its cursor.
    pub fn answer_at(&mut self, kind: WireKind, answer: &Answer, cursor: &Cursor) -> Bytes {
        let mut out = Vec::new();
        match (kind.grammar, &answer.event) {
            (_, Event::Ping) if !kind.web_socket() => {
                self.lay_out(kind, &mut out, |layout, out| layout.heartbeat(out));
            }
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
                    self.plain(kind, &event_of(&event), false, &mut out);
                }
            }
        }
        out.into()
    }

    /// A plain reader's cursor as an event of its own.
    pub fn place(&mut self, kind: WireKind, cursor: &Cursor) -> Bytes {
        let (mut out, cursor) = (Vec::new(), cursor.to_string());
        self.lay_out(kind, &mut out, |layout, out| layout.place(&cursor, out));
        out.into()
    }

    /// Whether a reader of several channels needs its cursor after each event.
    pub fn ends_with_cursor(&self, kind: WireKind) -> bool {
        self.layouts.of(kind.form).ends_with_cursor()
    }

    /// The first bytes of a response.
    pub fn begin(&mut self, kind: WireKind, begin: &Begin) -> Bytes {
        let mut out = Vec::new();
        self.lay_out(kind, &mut out, |layout, out| layout.begin(begin, out));
        out.into()
    }

    /// What ends the connection after the last event.
    pub fn end(&mut self, kind: WireKind, code: u16, reason: &str) -> Bytes {
        let mut out = Vec::new();
        if kind.web_socket() {
            encoder::write_close(&mut out, Some(code), reason);
            return out.into();
        }
        self.lay_out(kind, &mut out, |layout, out| layout.end(out));
        if kind.carrier == Carrier::Chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
        out.into()
    }

    /// A message of the native protocol.
    fn native(
        &mut self,
        kind: WireKind,
        out: &mut Vec<u8>,
        write: impl FnOnce(Grammar, &mut Vec<u8>),
    ) {
        let mut message = std::mem::take(&mut self.message);
        message.clear();
        write(kind.grammar, &mut message);
        if kind.web_socket() {
            frame(kind.framing(), &message, &mut self.deflater, out);
        } else {
            self.lay_out(kind, out, |layout, out| layout.message(&message, out));
        }
        self.message = message;
    }

    /// A plain event. When it is `open` its end is left to the cursor that follows.
    fn plain(&mut self, kind: WireKind, event: &layout::Event<'_>, open: bool, out: &mut Vec<u8>) {
        self.lay_out(kind, out, |layout, out| layout.event(event, open, out));
    }

    fn lay_out(
        &mut self,
        kind: WireKind,
        out: &mut Vec<u8>,
        write: impl FnOnce(&dyn Layout, &mut Vec<u8>),
    ) {
        self.event.clear();
        write(self.layouts.of(kind.form), &mut self.event);
        frame(kind.framing(), &self.event, &mut self.deflater, out);
    }
}

/// A plain event as layouts write it.
pub(crate) fn event_of<'a>(event: &'a PlainEvent<'_>) -> layout::Event<'a> {
    layout::Event {
        kind: event.kind,
        cursor: event.id.as_deref(),
        name: event.event.as_deref(),
        data: &event.data,
        content_type: None,
        retry_ms: event.retry.map(|retry| retry.as_nanos().div_ceil(1_000_000) as u64),
    }
}

/// Bytes go as they are where a part can say what they are: the tag `content-type` does.
fn as_it_is<'a>(event: layout::Event<'a>, publication: &'a Publication) -> layout::Event<'a> {
    let Data::Bytes(bytes) = &publication.data else { return event };
    let tag = publication.tags.iter().find(|(name, _)| &**name == "content-type");
    let content_type = tag.map_or("application/octet-stream", |(_, value)| value);
    let name = publication.name.as_deref();
    layout::Event { name, data: bytes, content_type: Some(content_type), ..event }
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
        let envelope = kind.grammar == Grammar::Envelope;
        let event = PlainEvent::publication(publication, envelope);
        let event = if kind.cursor { event } else { event.with_id(publication_id(publication)) };
        let mut laid_out = event_of(&event);
        if !envelope && matches!(kind.form, Form::Parts | Form::Pictures) {
            laid_out = as_it_is(laid_out, publication);
        }
        self.plain(kind, &laid_out, kind.cursor, out);
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
        let cursor = cursor.to_string();
        self.lay_out(WireKind::of(wire), out, |layout, out| layout.close_event(&cursor, out));
    }
}

#[cfg(test)]
mod tests;
