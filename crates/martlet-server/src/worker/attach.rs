//! Connections come, bring frames, and go.

use bytes::Bytes;
use martlet_core::model::{ClientId, Close, Code, Refusal, SessionKey, SessionPlace};
use martlet_core::presence::Holder;
use martlet_core::session::{Command, Connect, Numbered, Opening, Polls, Session};
use martlet_protocol::native::{json, proto};
use martlet_transport::layout::Begin;
use martlet_transport::outlet::Outlet;

use super::sessions::Entry;
use super::*;
use crate::wire::{Form, Grammar, WireKind};

/// What came from a client, besides frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uplink<'a> {
    /// A frame of its protocol.
    Frame(&'a [u8]),
    /// Bytes that the transport answers by these.
    Control(Bytes),
    /// Something that means only that the client lives.
    Heard,
    /// What the transport's rules forbid: the connection ends, in the transport's own words.
    Fault {
        /// Why.
        close: Close,
        /// The transport's own code for it.
        code: u16,
    },
    /// The client ends the connection.
    Closed {
        /// What the transport answers.
        echo: Bytes,
        /// Whether the client goes for good, as far as one can tell.
        for_good: bool,
    },
}

/// A connection that begins.
pub struct NewConnection {
    /// Where bytes go.
    pub outlet: Outlet,
    /// How events are written there.
    pub kind: WireKind,
    /// What is waited for before anything is written.
    pub opening: Option<Box<PlainOpening>>,
    /// What a stream begins with.
    pub begin: Option<Begin>,
    /// After how many bytes it is to end.
    pub limit: Option<usize>,
    /// The poll that it begins with.
    pub polls: Option<Box<Polls<Ticket>>>,
}

impl NewConnection {
    /// One that begins at once, and goes on for as long as it likes.
    pub fn new(outlet: Outlet, kind: WireKind) -> Self {
        Self { outlet, kind, opening: None, begin: None, limit: None, polls: None }
    }
}

impl Worker {
    /// A connection opened: its session begins. A plain stream is held back until
    /// [`head_written`](Self::head_written).
    pub fn open(self: &Rc<Self>, new: NewConnection) -> SessionIndex {
        let NewConnection { outlet, kind, opening, begin, limit, polls } = new;
        let now = self.now();
        self.turn(|state| {
            let reader = state.lane.add_reader(now.instant, kind.wire());
            if opening.is_some() {
                state.lane.block(reader);
            }
            if let Some(begin) = begin {
                let first = state.encoders.begin(kind, &begin);
                // The first bytes are far fewer than what a reader may be owed.
                let _ = state.lane.push(reader, first);
            }
            let session = self.new_session(now, kind, state.sessions.next_slot());
            state.counters.opened += 1;
            let attachment = Attachment { kind, opening, left: limit, polls };
            let index = state.sessions.insert(session, reader, attachment, outlet);
            if let Some(close) = self.send_away(state, now, kind.form == Form::Items)
                && let Some(entry) = state.sessions.touch(index)
            {
                entry.session.close(close);
            }
            index
        })
    }

    fn new_session(&self, now: Now, kind: WireKind, slot: u32) -> Session {
        let place = SessionPlace { node: self.common.node, worker: self.id.0, slot };
        let opening = Opening {
            key: SessionKey::new(place, random::bits()),
            client: ClientId::new(random::bits()),
            holder: Holder(random::bits()),
            answers: kind.web_socket(),
            member: kind.form != Form::Items,
            aged_at: self.aged_at(now),
        };
        Session::new(now, Arc::clone(&self.common.rules), opening)
    }

    /// The client says `connect` by its request rather than by a frame.
    pub fn connect(self: &Rc<Self>, index: SessionIndex, connect: Connect) {
        let now = self.now();
        self.turn(|state| {
            if let Some(entry) = state.sessions.touch(index) {
                let command = Command::Connect(connect);
                entry.session.handle_command(now, Numbered { id: 0, command });
            }
        });
    }

    /// Something came from the client. Says whether its session wants to hear more.
    pub fn handle_uplink(self: &Rc<Self>, index: SessionIndex, uplink: Uplink<'_>) -> bool {
        let now = self.now();
        self.turn(|state| {
            let Some(entry) = state.sessions.touch(index) else { return false };
            entry.session.handle_heard();
            match uplink {
                Uplink::Frame(frame) => {
                    state.counters.frames += 1;
                    take_frame(entry, now, Way::Connection, frame, &self.common.rules.limits);
                }
                Uplink::Control(bytes) => {
                    if entry.session.handle_sign(now) {
                        self.owe(state, index, bytes);
                    }
                }
                Uplink::Heard => _ = entry.session.handle_sign(now),
                Uplink::Fault { close, code } => {
                    entry.close_code = Some(code);
                    entry.session.close(close);
                }
                Uplink::Closed { echo, for_good } => {
                    if for_good {
                        entry.session.leave();
                    }
                    state.sessions.finish(index);
                    self.owe(state, index, echo);
                }
            }
            state.sessions.get(index).is_some_and(|entry| !entry.session.ended())
        })
    }

    /// Owes the client bytes that are not the session's.
    fn owe(&self, state: &mut State, index: SessionIndex, bytes: Bytes) {
        let Some(reader) = state.sessions.get(index).and_then(|entry| entry.reader) else { return };
        if state.lane.push(reader, bytes).is_err()
            && let Some(entry) = state.sessions.touch(index)
        {
            entry.session.close(Code::Slow.into());
        }
    }

    /// A frame came by a request of its own.
    pub(super) fn take_frame_by_key(
        &self,
        state: &mut State,
        now: Now,
        key: SessionKey,
        frame: &[u8],
    ) -> Result<(), Refusal> {
        let found = state.sessions.by_key(key).and_then(|index| state.sessions.touch(index));
        // The answers go down the session's stream. Without one nobody would hear them.
        let heard = |entry: &&mut Entry| !entry.session.ended() && entry.attachment.is_some();
        let entry = found.filter(heard).ok_or(Code::UnknownSession)?;
        entry.session.handle_heard();
        state.counters.frames += 1;
        take_frame(entry, now, Way::Request, frame, &self.common.rules.limits);
        Ok(())
    }

    /// The client of a one-way transport goes for good: nobody is left waiting for it. A stream
    /// ends when its client lets go of it; polls just do not come any more.
    pub(super) fn leave(&self, state: &mut State, now: Now, key: SessionKey) {
        let Some(index) = state.sessions.by_key(key) else { return };
        let Some(entry) = state.sessions.touch(index) else { return };
        entry.session.leave();
        if polls::end(&mut state.lane, now, entry) {
            self.detach(state, now, index);
        }
    }

    /// The response's head was written; a plain stream may begin.
    pub fn head_written(self: &Rc<Self>, index: SessionIndex) {
        self.turn(|state| plain::head_written(state, index));
    }

    /// The connection is gone.
    pub fn detached(self: &Rc<Self>, index: SessionIndex) {
        let now = self.now();
        self.turn(|state| self.detach(state, now, index));
    }

    pub(super) fn detach(&self, state: &mut State, now: Now, index: SessionIndex) {
        let Some((reader, attachment)) = state.sessions.detach(index) else { return };
        state.lane.remove_reader(reader);
        let Some(entry) = state.sessions.touch(index) else { return };
        match attachment.kind.native() {
            true => entry.session.handle_detach(now),
            // A plain reader comes back by its cursor; it does not know its session.
            false => entry.session.leave(),
        }
    }

    /// The client continued this session by another: the old one ends. Its membership goes over
    /// to the new one, so that nobody sees it leave.
    pub(super) fn replace(&self, state: &mut State, key: SessionKey) {
        let Some(index) = state.sessions.by_key(key) else { return };
        if let Some(entry) = state.sessions.touch(index) {
            entry.session.close(Code::Replaced.into());
        }
    }
}

/// How a frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Over the connection.
    Connection,
    /// By a request of its own, which may be made again.
    Request,
}

fn take_frame(
    entry: &mut Entry,
    now: Now,
    way: Way,
    frame: &[u8],
    limits: &martlet_core::model::Limits,
) {
    let session = &mut entry.session;
    let grammar = entry.attachment.as_ref().map_or(Grammar::Json, |a| a.kind.grammar);
    let mut read = 0;
    let sink = |command: Result<Numbered, martlet_protocol::Refused>| {
        read += 1;
        match command {
            Ok(numbered) if way == Way::Request => session.handle_sent(now, numbered),
            Ok(numbered) => session.handle_command(now, numbered),
            Err(refused) => {
                session.handle_refused(now, refused.id, refused.channel, refused.refusal);
            }
        }
    };
    let decoded = match grammar {
        Grammar::Proto => proto::decode(frame, limits, sink),
        _ => json::decode(frame, limits, sink),
    };
    match decoded {
        Err(error) => entry.session.close(error.close()),
        Ok(()) if read == 0 => _ = entry.session.handle_sign(now),
        Ok(()) => {}
    }
}
