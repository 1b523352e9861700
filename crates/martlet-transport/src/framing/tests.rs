//! Every framing is read back equal by the other side's reader.

use proptest::prelude::*;

use super::*;
use crate::http1::body::Chunks;
use crate::websocket::Inflater;

fn framed(framing: Framing, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(framing, payload, &mut Deflater::default(), &mut out);
    out
}

#[test]
fn short_payloads_are_not_deflated() {
    let short = [b'a'; 63];
    assert_eq!(framed(Framing::WsTextDeflated, &short), framed(Framing::WsText, &short));
    let long = [b'a'; 64];
    assert!(framed(Framing::WsTextDeflated, &long).len() < 20);
}

#[test]
fn payloads_that_would_grow_are_not_deflated() {
    let noise: Vec<u8> = (0..200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(framed(Framing::WsBinaryDeflated, &noise), framed(Framing::WsBinary, &noise));
}

#[test]
fn a_deflated_message_says_so_and_is_the_same_each_time() {
    let payload = "again and ".repeat(20);
    let mut deflater = Deflater::default();
    let (mut one, mut two) = (Vec::new(), Vec::new());
    frame(Framing::WsTextDeflated, payload.as_bytes(), &mut deflater, &mut one);
    frame(Framing::WsTextDeflated, payload.as_bytes(), &mut deflater, &mut two);
    assert_eq!(one, two);
    assert_eq!((one[0], one[1] as usize), (0xC1, one.len() - 2));
    let mut inflater = Inflater::default();
    assert_eq!(inflater.inflate(&one[2..], 1000), Ok(payload.as_bytes()));
    assert_eq!(framed(Framing::WsBinaryDeflated, payload.as_bytes())[0], 0xC2);
}

#[test]
fn an_empty_payload_does_not_end_a_body() {
    assert_eq!(framed(Framing::Chunked, b""), b"");
    assert_eq!(framed(Framing::WsText, b""), [0x81, 0]);
}

proptest! {
    #[test]
    fn chunks_are_read_back_equal(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..5),
    ) {
        let mut bytes: Vec<u8> =
            payloads.iter().flat_map(|payload| framed(Framing::Chunked, payload)).collect();
        bytes.extend_from_slice(LAST_CHUNK);
        let mut chunks = Chunks::new(30_000);
        prop_assert_eq!(chunks.feed(&bytes), Ok(bytes.len()));
        prop_assert!(chunks.done());
        prop_assert_eq!(chunks.data(), payloads.concat());
    }
}
