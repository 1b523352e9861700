//! Decoders that take bytes in pieces: what comes out does not depend on where they are cut.

use martlet_transport::fuzz as transport;

/// The size of pieces, from the first byte of an input; 0 is all at once.
fn cut(bytes: &[u8]) -> Option<(u8, &[u8])> {
    bytes.split_first().map(|(first, rest)| (*first, rest))
}

/// A WebSocket client's bytes. The first byte says whether deflate was agreed on, and how they
/// are cut.
pub fn websocket(bytes: &[u8]) {
    let Some((first, rest)) = cut(bytes) else { return };
    let deflate = first & 1 != 0;
    let (whole, fault) = transport::websocket(rest, 0, deflate);
    let (pieces, other) = transport::websocket(rest, usize::from(first >> 1) + 1, deflate);
    if fault != Some(martlet_transport::websocket::Fault::ControlFlood) {
        assert_eq!((whole, fault), (pieces, other));
    }
}

/// A request head, whole.
pub fn http1_head(bytes: &[u8]) {
    transport::http1_head(bytes);
}

/// A body in chunks.
pub fn http1_chunks(bytes: &[u8]) {
    transport::http1_chunks(bytes);
}

/// An event stream as our client reads it. The first byte says how it is cut.
pub fn event_stream(bytes: &[u8]) {
    let Some((first, rest)) = cut(bytes) else { return };
    let whole = martlet_client::fuzz::event_stream(rest, 0);
    assert_eq!(whole, martlet_client::fuzz::event_stream(rest, usize::from(first) + 1));
}
