//! Entry points for fuzzing: each takes any bytes, must return, and must not panic.

use std::ops::ControlFlow;

use crate::http1::{self, HeadLimits};
use crate::websocket::{Decoder, Fault, Incoming, Inflater};

/// Decodes bytes as a WebSocket client's, fed in pieces of `step` bytes (0 is all at once).
/// Returns a digest of what came out, which does not depend on `step`.
pub fn websocket(bytes: &[u8], step: usize, deflate: bool) -> (Vec<String>, Option<Fault>) {
    let mut bytes = bytes.to_vec();
    let mut decoder = Decoder::new(4096, deflate);
    let mut inflater = Inflater::default();
    let mut seen = Vec::new();
    let mut sink = |incoming: Incoming<'_>| {
        seen.push(format!("{incoming:?}"));
        ControlFlow::Continue(())
    };
    let step = if step == 0 { bytes.len().max(1) } else { step };
    for piece in bytes.chunks_mut(step) {
        if let Err(fault) = decoder.feed(piece, &mut inflater, &mut sink) {
            return (seen, Some(fault));
        }
    }
    (seen, None)
}

/// Parses bytes as a request head and walks everything that is read from it later.
pub fn http1_head(bytes: &[u8]) -> bool {
    let Ok(Some((head, length))) = http1::parse_head(bytes, &HeadLimits::default()) else {
        return false;
    };
    assert!(length <= bytes.len(), "a head cannot be longer than the bytes it was read from");
    let _ = (head.path(), head.pairs().count(), head.keep_alive(), head.body_length());
    let origins = crate::cors::Origins::new(["https://example.org"]);
    let offer = crate::websocket::Offer { subprotocols: &["a"], deflate: true, origins: &origins };
    crate::websocket::handshake::accept(&head, &offer).is_ok()
}

/// Decodes bytes as a body in chunks; returns the length of the body if it is whole.
pub fn http1_chunks(bytes: &[u8]) -> Option<usize> {
    let mut chunks = http1::body::Chunks::new(4096);
    chunks.feed(bytes).ok()?;
    chunks.done().then(|| chunks.data().len())
}

#[cfg(test)]
mod tests;
