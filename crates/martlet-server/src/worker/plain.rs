//! Plain streams on their way to beginning. A refusal before the first channel is followed is an
//! answer with a status instead of a stream; a stream begins with the cursor of all its channels.

use martlet_core::model::Refusal;
use martlet_core::session::Event;

use super::*;

/// Follows what a client is told, as far as its plain stream has not begun.
pub(super) fn follow(state: &mut State, index: SessionIndex, event: &Event) {
    let Some(entry) = state.sessions.get(index) else { return };
    if entry.attachment.as_ref().is_none_or(|a| a.kind.native() || a.opening.is_none()) {
        return;
    }
    let named = entry.session.identity().channels.clone();
    let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_mut()) else {
        return;
    };
    let Some(opening) = attachment.opening.as_mut() else { return };
    match event {
        Event::Connected(_) => {
            let more = named.iter().filter(|channel| !opening.channels.contains(channel)).count();
            opening.unanswered += more;
            let whole = state.encoders.ends_with_cursor(attachment.kind);
            attachment.kind.cursor = whole && opening.unanswered > 1;
            state.lane.set_wire(reader, attachment.kind.wire());
        }
        Event::Subscribed(_) => decide(opening, Ok(())),
        Event::Refused { refusal, .. } => {
            decide(opening, Err(refusal.clone()));
            answered(state, index);
        }
        Event::Closing(close) => {
            let refusal =
                Refusal { code: close.code, detail: close.detail.clone(), after: close.after };
            decide(opening, Err(refusal));
        }
        _ => {}
    }
}

fn decide(opening: &mut PlainOpening, how: Result<(), Refusal>) {
    if let Some(decided) = opening.decided.take() {
        // The connection may have ended in the meantime; then nobody waits for the decision.
        let _ = decided.send(how);
    }
}

/// A channel is read from now on: the reader's cursor has changed.
pub(super) fn begun(state: &mut State, index: SessionIndex) {
    let Some(entry) = state.sessions.get(index) else { return };
    let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_ref()) else {
        return;
    };
    let kind = attachment.kind;
    match (kind.native(), attachment.opening.is_some()) {
        (true, _) => {}
        (false, true) => answered(state, index),
        (false, false) => tell_place(state, reader, kind),
    }
}

/// One channel fewer to wait for.
fn answered(state: &mut State, index: SessionIndex) {
    let Some(entry) = state.sessions.get(index) else { return };
    let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_mut()) else {
        return;
    };
    let Some(opening) = attachment.opening.as_mut() else { return };
    opening.unanswered = opening.unanswered.saturating_sub(1);
    if opening.unanswered > 0 {
        return;
    }
    let kind = attachment.kind;
    if opening.head_written {
        attachment.opening = None;
    }
    let ready = attachment.opening.is_none();
    tell_place(state, reader, kind);
    if ready {
        state.lane.unblock(reader);
    }
}

/// The head of the response has been written.
pub(super) fn head_written(state: &mut State, index: SessionIndex) {
    let Some(entry) = state.sessions.get(index) else { return };
    let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_mut()) else {
        return;
    };
    let Some(opening) = attachment.opening.as_mut() else { return };
    opening.head_written = true;
    if opening.unanswered == 0 {
        attachment.opening = None;
        state.lane.unblock(reader);
    }
}

fn tell_place(state: &mut State, reader: ReaderKey, kind: crate::wire::WireKind) {
    let cursor = state.lane.cursor(reader);
    let frame = state.encoders.place(kind, &cursor);
    // A cursor is far smaller than what a reader may be owed.
    let _ = state.lane.push(reader, frame);
}
