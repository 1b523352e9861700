//! Every decoder, as one function of bytes: what fuzzers and random tests call. They return
//! nothing; what they test is that nothing panics and nothing grows past its limit.

#[cfg(test)]
mod tests;

use martlet_core::model::{Cursor, Limits, UnixMillis};

use crate::{native, plain, vectors};

/// Commands as JSON, and the publication of an HTTP body.
pub fn json_command(bytes: &[u8]) {
    let limits = Limits::default();
    let mut read = 0;
    let _ = native::json::decode(bytes, &limits, |_| read += 1);
    assert!(read <= limits.commands_per_frame);
    let _ = native::json::decode_draft(bytes, &limits);
}

/// Events as JSON.
pub fn json_event(bytes: &[u8]) {
    let _ = native::json::decode_answer(bytes, drop);
}

/// Commands as Protobuf.
pub fn proto_command(bytes: &[u8]) {
    let limits = Limits::default();
    let mut read = 0;
    let _ = native::proto::decode(bytes, &limits, |_| read += 1);
    assert!(read <= limits.commands_per_frame);
}

/// Events as Protobuf.
pub fn proto_event(bytes: &[u8]) {
    let _ = native::proto::decode_answer(bytes, drop);
}

/// The query and headers of a plain stream: header, line feed, query.
pub fn plain_query(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |&byte| byte == b'\n');
    let header = parts.next();
    let query = parts.next().and_then(|query| std::str::from_utf8(query).ok());
    let request = plain::Request {
        query: query.unwrap_or_default(),
        last_event_id: header,
        authorization: header,
    };
    let _ = plain::Query::parse(request, &Limits::default(), UnixMillis(1_700_000_000_000));
}

/// A cursor; one that can be read is written the same again.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = Cursor::parse(text) {
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    }
}

/// A golden transcript.
pub fn transcript(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = vectors::parse(text);
    }
}
