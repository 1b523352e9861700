use super::*;

fn sizes() -> [usize; 7] {
    [0, 1, 125, 126, 65_535, 65_536, 200_000]
}

fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8).collect()
}

/// Everything that comes out when the bytes are fed in pieces of this size.
fn scan(bytes: &[u8], piece: usize) -> Result<Vec<(u8, Vec<u8>)>, Malformed> {
    let (mut scanner, mut out) = (Scanner::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        scanner.feed(piece, |frame| {
            let mut plain = Vec::new();
            frame.unmask(&mut plain);
            out.push((frame.opcode, plain));
        })?;
    }
    Ok(out)
}

#[test]
fn frames_are_found_wherever_the_bytes_are_cut() {
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for size in sizes() {
        write(TEXT, &payload(size), &mut bytes);
        write_masked(PONG, &payload(size), &mut bytes);
        expected.extend([(TEXT, payload(size)), (PONG, payload(size))]);
    }
    for piece in [1, 2, 3, 7, 1_000, 65_537, bytes.len()] {
        assert!(scan(&bytes, piece).unwrap() == expected, "in pieces of {piece}");
    }
}

#[test]
fn nothing_is_kept_between_whole_frames() {
    let mut bytes = Vec::new();
    write(TEXT, &payload(300), &mut bytes);
    let mut scanner = Scanner::default();
    scanner.feed(&bytes[..7], |_| {}).unwrap();
    scanner.feed(&bytes[7..], |_| {}).unwrap();
    assert_eq!(scanner.partial.capacity(), 0);
}

#[test]
fn what_is_no_whole_frame_is_refused() {
    // Fragments, reserved bits, and a length that nobody would send.
    assert_eq!(scan(&[0x01, 0x00], 1), Err(Malformed));
    assert_eq!(scan(&[0xc1, 0x00], 1), Err(Malformed));
    assert_eq!(scan(&[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0], 10), Err(Malformed));
}
