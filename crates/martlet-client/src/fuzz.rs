//! Entry points for fuzzing: each takes any bytes, must return, and must not panic.

use bytes::Bytes;

use crate::transport::events::{Events, Item};

/// Reads bytes as an event stream, in pieces of `step` bytes (0 is all at once). Returns the data
/// of the events, the number of comments, and whether an event was too large; none of it depends
/// on `step`.
pub fn event_stream(bytes: &[u8], step: usize) -> (Vec<Bytes>, usize, bool) {
    let step = if step == 0 { bytes.len().max(1) } else { step };
    let mut events = Events::new(4096);
    let (mut seen, mut comments) = (Vec::new(), 0);
    for piece in bytes.chunks(step) {
        let read = events.read(piece, |item| match item {
            Item::Data(data) => seen.push(data),
            Item::Comment => comments += 1,
        });
        if read.is_err() {
            return (seen, comments, true);
        }
    }
    (seen, comments, false)
}
