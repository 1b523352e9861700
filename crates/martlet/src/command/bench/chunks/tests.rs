use super::*;

fn body(bytes: &[u8], piece: usize) -> (Vec<u8>, Result<(), End>) {
    let (mut chunks, mut out) = (Chunks { chunked: true, ..Chunks::default() }, Vec::new());
    for piece in bytes.chunks(piece) {
        if let Err(end) = chunks.feed(piece, |piece| out.extend_from_slice(piece)) {
            return (out, Err(end));
        }
    }
    (out, Ok(()))
}

#[test]
fn a_body_is_found_wherever_the_bytes_are_cut() {
    let bytes = b"5\r\nhello\r\n10;x=y\r\n0123456789abcdef\r\n1\r\n!\r\n";
    for piece in 1..=bytes.len() {
        assert_eq!(body(bytes, piece), (b"hello0123456789abcdef!".to_vec(), Ok(())), "{piece}");
    }
}

#[test]
fn the_end_is_noticed_and_so_is_nonsense() {
    assert_eq!(body(b"1\r\na\r\n0\r\n\r\n", 3), (b"a".to_vec(), Err(End::Over)));
    assert_eq!(body(b"hello\r\n", 7).1, Err(End::Malformed));
    assert_eq!(body(&[b'1'; 100], 10).1, Err(End::Malformed));
    assert_eq!(body(b"ffffffffffffffffff\r\n", 30).1, Err(End::Malformed));
}

#[test]
fn without_chunks_everything_is_body() {
    let (mut chunks, mut out) = (Chunks::default(), Vec::new());
    chunks.feed(b"5\r\nhello", |piece| out.extend_from_slice(piece)).unwrap();
    assert_eq!(out, b"5\r\nhello");
}
