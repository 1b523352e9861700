//! Messages come back equal, bombs stop at the limit, and garbage is told from data.

use proptest::prelude::*;

use super::*;
use crate::websocket::Deflater;

fn bomb(length: usize) -> Vec<u8> {
    Deflater::new(9).deflate(&vec![0; length]).expect("zeros shrink").to_vec()
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let mut inflater = Inflater::default();
    let bomb = bomb(64 * 1024 * 1024);
    assert_eq!(inflater.inflate(&bomb, 100_000), Err(InflateFault::TooBig));
    assert!(inflater.output.capacity() < 400_000, "{}", inflater.output.capacity());
}

#[test]
fn the_limit_is_exact() {
    let mut inflater = Inflater::default();
    for length in [1000, STEP_BYTES, 3 * STEP_BYTES + 1] {
        let deflated = bomb(length);
        assert_eq!(inflater.inflate(&deflated, length).map(<[u8]>::len), Ok(length));
        assert_eq!(inflater.inflate(&deflated, length - 1), Err(InflateFault::TooBig));
    }
}

#[test]
fn the_examples_of_rfc_7692_are_read() {
    let mut inflater = Inflater::default();
    let hello = Ok(&b"Hello"[..]);
    assert_eq!(inflater.inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 5), hello);
    // Without compression, with the final bit set, and in two blocks.
    assert_eq!(inflater.inflate(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 5), hello);
    assert_eq!(inflater.inflate(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 5), hello);
    let blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    assert_eq!(inflater.inflate(blocks, 5), hello);
    assert_eq!(inflater.inflate(b"\x00", 5), Ok(&b""[..]));
}

#[test]
fn streams_that_end_again_and_again_are_refused() {
    // Each pair of bytes is a whole stream of its own.
    let endless = b"\x03\x00".repeat(1000);
    assert_eq!(Inflater::default().inflate(&endless, 5), Err(InflateFault::Garbage));
}

#[test]
fn nothing_is_remembered_from_message_to_message() {
    let mut inflater = Inflater::default();
    let _ = inflater.inflate(b"\xFF\xFF garbage", 100);
    let first = inflater.inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 5).map(<[u8]>::to_vec);
    assert_eq!(first, Ok(b"Hello".to_vec()));
    // The second message of RFC 7692, 7.2.3.2 points back into the first.
    assert_ne!(inflater.inflate(b"\xf2\x00\x11\x00\x00", 5), Ok(&b"Hello"[..]));
}

proptest! {
    #[test]
    fn messages_come_back_equal(
        bytes in prop::collection::vec(b'a'..b'd', 64..3000),
        level in 1u32..10,
    ) {
        let mut deflater = Deflater::new(level);
        for _ in 0..2 {
            let deflated = deflater.deflate(&bytes).map(<[u8]>::to_vec);
            if let Some(deflated) = deflated {
                prop_assert!(deflated.len() < bytes.len());
                let mut inflater = Inflater::default();
                prop_assert_eq!(inflater.inflate(&deflated, bytes.len()), Ok(&bytes[..]));
            }
        }
    }

    #[test]
    fn noise_never_panics_nor_exceeds_the_limit(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        limit in 0usize..500,
    ) {
        let mut inflater = Inflater::default();
        if let Ok(output) = inflater.inflate(&bytes, limit) {
            prop_assert!(output.len() <= limit);
        }
    }
}
