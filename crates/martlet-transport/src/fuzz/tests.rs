//! The entry points reach what they are for, and keep their promise on noise.

use proptest::prelude::*;

use super::*;

#[test]
fn good_input_is_taken_in() {
    let (seen, fault) = websocket(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'], 3, false);
    assert_eq!((seen, fault), (vec!["Text(\"hi\")".to_owned()], None));
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert!(http1_head(upgrade));
    assert_eq!(http1_chunks(b"2\r\nhi\r\n0\r\n\r\n"), Some(2));
}

proptest! {
    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 0usize..9) {
        let (whole, pieces) = (websocket(&bytes, 0, true), websocket(&bytes, step, true));
        prop_assert_eq!(whole, pieces);
        let _ = (http1_head(&bytes), http1_chunks(&bytes));
    }
}
