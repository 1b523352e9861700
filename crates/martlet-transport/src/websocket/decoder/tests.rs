//! The rules of RFC 6455 one by one, and that no cut changes what is read.

use std::io::{self, Cursor, Read, Write};
use std::ops::ControlFlow;

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Message as Peer, Utf8Bytes};

use super::*;
use crate::websocket::{DEFLATE_TAIL, Deflater, encoder};

const LIMIT: u32 = 1024;

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![first];
    match payload.len() {
        0..=125 => bytes.push(0x80 | payload.len() as u8),
        126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend((payload.len() as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[derive(Debug, PartialEq, Eq, Clone)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

fn see(incoming: Incoming<'_>) -> Seen {
    match incoming {
        Incoming::Text(text) => Seen::Text(text.into()),
        Incoming::Binary(bytes) => Seen::Binary(bytes.into()),
        Incoming::Ping(bytes) => Seen::Ping(bytes.into()),
        Incoming::Pong(bytes) => Seen::Pong(bytes.into()),
        Incoming::Close(close) => Seen::Close(close.code, close.reason.into()),
    }
}

/// Feeds pieces of the given lengths, then the rest.
fn decode_in_pieces(
    bytes: &[u8],
    lengths: &[usize],
    deflate: bool,
) -> (Vec<Seen>, Result<(), Fault>) {
    let mut decoder = Decoder::new(LIMIT, deflate);
    let mut inflater = Inflater::default();
    let mut seen = Vec::new();
    let mut sink = |incoming: Incoming<'_>| {
        seen.push(see(incoming));
        ControlFlow::Continue(())
    };
    let mut rest = bytes;
    for length in lengths.iter().copied().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        if let Err(fault) = decoder.feed(&mut piece.to_vec(), &mut inflater, &mut sink) {
            assert!(decoder.ended());
            return (seen, Err(fault));
        }
    }
    (seen, Ok(()))
}

/// The outcome, which must be the same whole and byte by byte.
fn decode_with(bytes: &[u8], deflate: bool) -> (Vec<Seen>, Result<(), Fault>) {
    let whole = decode_in_pieces(bytes, &[], deflate);
    let single = decode_in_pieces(bytes, &vec![1; bytes.len()], deflate);
    assert_eq!(whole, single, "byte by byte must be as good as whole");
    whole
}

fn decode(bytes: &[u8]) -> (Vec<Seen>, Result<(), Fault>) {
    decode_with(bytes, false)
}

fn fault_of(bytes: &[u8]) -> Fault {
    decode(bytes).1.expect_err("this must be refused")
}

#[test]
fn whole_messages_are_read() {
    let (seen, outcome) = decode(
        &[frame(0x81, "héllo".as_bytes()), frame(0x82, &[0, 255]), frame(0x81, b"")].concat(),
    );
    let expected =
        [Seen::Text("héllo".into()), Seen::Binary(vec![0, 255]), Seen::Text(String::new())];
    assert_eq!((seen.as_slice(), outcome), (expected.as_slice(), Ok(())));
}

#[test]
fn fragments_are_joined_and_control_frames_pass_between_them() {
    let bytes = [
        frame(0x01, b"one "),
        frame(0x89, b"are you there"),
        frame(0x00, b""),
        frame(0x8A, b""),
        frame(0x80, b"two"),
    ]
    .concat();
    let (seen, outcome) = decode(&bytes);
    let expected =
        [Seen::Ping(b"are you there".into()), Seen::Pong(vec![]), Seen::Text("one two".into())];
    assert_eq!((seen.as_slice(), outcome), (expected.as_slice(), Ok(())));
}

#[test]
fn frames_that_break_the_rules_are_refused_with_1002() {
    let mut unmasked = frame(0x81, b"a");
    unmasked[1] &= 0x7F;
    assert_eq!(fault_of(&unmasked), Fault::Unmasked);
    for bits in [0x40, 0x20, 0x10] {
        assert_eq!(fault_of(&frame(0x81 | bits, b"a")), Fault::ReservedBit);
    }
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        assert_eq!(fault_of(&frame(0x80 | opcode, b"")), Fault::ReservedOpcode);
    }
    for opcode in [0x8, 0x9, 0xA] {
        assert_eq!(fault_of(&frame(opcode, b"")), Fault::FragmentedControl);
        assert_eq!(fault_of(&frame(0x80 | opcode, &[b'a'; 126])), Fault::LongControl);
    }
    assert_eq!(fault_of(&frame(0x80, b"a")), Fault::NothingToContinue);
    let nested = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    assert_eq!(fault_of(&nested), Fault::MessageInsideMessage);
    assert_eq!(Fault::MessageInsideMessage.close_code(), 1002);
}

#[test]
fn text_that_is_not_utf8_is_refused_at_its_first_wrong_byte() {
    for bad in [&b"\xC0\xAF"[..], b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"a\xFF", b"\xE2\x82"] {
        assert_eq!(fault_of(&frame(0x81, bad)), Fault::NotUtf8, "{bad:?}");
    }
    // The rest of the message never has to come.
    let mut begun = frame(0x01, b"abc\xF4\x90");
    assert_eq!(fault_of(&begun), Fault::NotUtf8);
    begun = frame(0x81, &[b"abc\xFF".as_slice(), &[b'a'; 500]].concat());
    begun.truncate(20);
    assert_eq!(fault_of(&begun), Fault::NotUtf8);
    // A character may be cut between fragments.
    let cut = [frame(0x01, b"\xE2\x82"), frame(0x80, b"\xAC")].concat();
    assert_eq!(decode(&cut), (vec![Seen::Text("€".into())], Ok(())));
    let unfinished = [frame(0x01, b"\xE2"), frame(0x80, b"\x82")].concat();
    assert_eq!(fault_of(&unfinished), Fault::NotUtf8);
    assert_eq!(Fault::NotUtf8.close_code(), 1007);
}

#[test]
fn closes_are_checked_and_nothing_is_read_after_one() {
    let good = |code: u16| frame(0x88, &[&code.to_be_bytes()[..], b"bye"].concat());
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        assert_eq!(decode(&good(code)), (vec![Seen::Close(Some(code), "bye".into())], Ok(())));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        assert_eq!(fault_of(&good(code)), Fault::BadClose, "{code}");
    }
    assert_eq!(fault_of(&frame(0x88, &[3])), Fault::BadClose);
    assert_eq!(fault_of(&frame(0x88, &[3, 232, 0xFF])), Fault::NotUtf8);
    let more = [frame(0x88, b""), frame(0x81, b"late"), vec![0xFF; 9]].concat();
    assert_eq!(decode(&more), (vec![Seen::Close(None, String::new())], Ok(())));
}

#[test]
fn lengths_over_the_limit_are_refused_by_the_header_alone() {
    for length in [1025u64, 1 << 32, 1 << 62, 1 << 63, u64::MAX] {
        let mut header = vec![0x82, 0x80 | 127];
        header.extend(length.max(0x1_0000).to_be_bytes());
        assert_eq!(fault_of(&header), Fault::TooBig);
    }
    assert_eq!(fault_of(&frame(0x82, &[0; 1025])[..4]), Fault::TooBig);
    assert_eq!(decode(&frame(0x82, &[0; 1024])).1, Ok(()));
    let second = frame(0x80, &[0; 25]);
    let fragments = [&frame(0x02, &[0; 1000])[..], &second[..2]].concat();
    assert_eq!(fault_of(&fragments), Fault::TooBig);
    assert_eq!(Fault::TooBig.close_code(), 1009);
}

#[test]
fn lengths_in_too_many_bytes_are_refused() {
    assert_eq!(fault_of(&[0x82, 0x80 | 126, 0, 125]), Fault::LengthNotMinimal);
    let wide = [&[0x82, 0x80 | 127][..], &0xFFFFu64.to_be_bytes()].concat();
    assert_eq!(fault_of(&wide), Fault::LengthNotMinimal);
}

#[test]
fn a_message_has_only_so_many_fragments() {
    let mut bytes = frame(0x01, b"");
    for _ in 0..1023 {
        bytes.extend(frame(0x00, b""));
    }
    assert_eq!(decode(&bytes), (vec![], Ok(())));
    bytes.extend(frame(0x80, b""));
    assert_eq!(fault_of(&bytes), Fault::TooManyFragments);
}

#[test]
fn a_flood_of_pings_in_one_piece_is_refused() {
    let flood = frame(0x89, b"").repeat(65);
    let (seen, outcome) = decode_in_pieces(&flood, &[], false);
    assert_eq!((seen.len(), outcome), (64, Err(Fault::ControlFlood)));
    let (seen, outcome) = decode_in_pieces(&flood, &[60], false);
    assert_eq!((seen.len(), outcome), (65, Ok(())));
}

#[test]
fn the_sink_can_stop_it_for_good() {
    let mut decoder = Decoder::new(LIMIT, false);
    let mut inflater = Inflater::default();
    let mut count = 0;
    let mut sink = |_: Incoming<'_>| {
        count += 1;
        ControlFlow::Break(())
    };
    let mut two = frame(0x81, b"a").repeat(2);
    assert_eq!(decoder.feed(&mut two, &mut inflater, &mut sink), Ok(()));
    assert_eq!(decoder.feed(&mut frame(0x81, b"a"), &mut inflater, &mut sink), Ok(()));
    assert_eq!(count, 1);
}

fn deflated(message: &[u8]) -> Vec<u8> {
    Deflater::new(6).deflate(message).expect("this message is worth it").to_vec()
}

#[test]
fn compressed_messages_are_read_whole_and_in_fragments() {
    let text = "so much, so often, ".repeat(20);
    let bytes = deflated(text.as_bytes());
    let expected = (vec![Seen::Text(text.clone()), Seen::Text(text)], Ok(()));
    let (one, two) = bytes.split_at(7);
    let frames = [frame(0xC1, &bytes), frame(0x41, one), frame(0x89, b"")].concat();
    let frames = [frames, frame(0x00, two), frame(0x80, b"")].concat();
    let (mut seen, outcome) = decode_with(&frames, true);
    seen.retain(|seen| !matches!(seen, Seen::Ping(_)));
    assert_eq!((seen, outcome), expected);
}

#[test]
fn compression_has_its_own_rules() {
    let fault_of = |bytes: &[u8]| decode_with(bytes, true).1.expect_err("this must be refused");
    let text = deflated(&[b'a'; 500]);
    assert_eq!(fault_of(&frame(0xC9, b"")), Fault::ReservedBit);
    let continued = [frame(0x41, &text), frame(0xC0, b"")].concat();
    assert_eq!(fault_of(&continued), Fault::ReservedBit);
    assert_eq!(fault_of(&frame(0xC1, b"\xFF\xFF\xFF\xFF garbage")), Fault::NotDeflated);
    assert_eq!(fault_of(&frame(0xC1, &deflated(&[0xFF; 500]))), Fault::NotUtf8);
    assert_eq!(fault_of(&frame(0xC2, &deflated(&[0; 100_000]))), Fault::TooBig);
}

#[test]
fn an_idle_decoder_is_small_and_owns_nothing() {
    assert!(size_of::<Decoder>() <= 64, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(LIMIT, true);
    let mut inflater = Inflater::default();
    let mut sink = |_: Incoming<'_>| ControlFlow::Continue(());
    let mut bytes = [frame(0x01, b"a"), frame(0x89, b"b"), frame(0x80, b"c")].concat();
    for byte in &mut bytes {
        let byte = std::slice::from_mut(byte);
        decoder.feed(byte, &mut inflater, &mut sink).expect("this is all right");
    }
    assert!(decoder.message.is_none() && decoder.control.is_none());
}

#[test]
fn a_partial_message_owns_what_has_arrived_and_not_what_was_announced() {
    let mut decoder = Decoder::new(1 << 30, false);
    let mut start = vec![0x82, 0x80 | 127];
    start.extend((1u64 << 29).to_be_bytes());
    start.extend([0; 4 + 10]);
    let mut sink = |_: Incoming<'_>| ControlFlow::Continue(());
    decoder.feed(&mut start, &mut Inflater::default(), &mut sink).expect("allowed by the limit");
    let message = decoder.message.expect("its beginning is kept");
    assert!(message.len() == 10 && message.capacity() < 1000);
}

/// A socket to read from; what is written to it is lost.
struct Input(Cursor<Vec<u8>>);

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_by_peer(bytes: Vec<u8>) -> Vec<Peer> {
    let mut peer = WebSocket::from_raw_socket(Input(Cursor::new(bytes)), Role::Client, None);
    std::iter::from_fn(|| peer.read().ok()).collect()
}

/// What a client may send: well-formed frames with some that are not, and noise.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        "[a-zé€😀]{0,60}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(b'a'..b'c', 70..300).prop_map(|bytes| deflated(&bytes)),
    ];
    let first = prop_oneof![
        4 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0xC1, 0x41]),
        1 => any::<u8>(),
    ];
    let piece = prop_oneof![
        9 => (first, payload).prop_map(|(first, payload)| frame(first, &payload)),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_cut_changes_what_is_read(
        bytes in input(),
        lengths in prop::collection::vec(0usize..40, 0..60),
        deflate: bool,
    ) {
        let whole = decode_in_pieces(&bytes, &[], deflate);
        prop_assert_eq!(whole, decode_in_pieces(&bytes, &lengths, deflate));
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), deflate: bool) {
        let _ = decode_with(&bytes, deflate);
    }

    #[test]
    fn masks_come_off_at_any_cut(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        key: [u8; 4],
        cut in 0usize..100,
    ) {
        let plain: Vec<u8> = bytes.iter().zip(key.iter().cycle()).map(|(b, m)| b ^ m).collect();
        let mut masked = bytes;
        let cut = cut.min(masked.len());
        let (one, two) = masked.split_at_mut(cut);
        let turned = mask::unmask(one, key);
        mask::unmask(two, turned);
        prop_assert_eq!(masked, plain);
    }

    #[test]
    fn what_the_server_writes_a_client_reads(
        text in ".{0,300}",
        long in prop::collection::vec(any::<u8>(), 0..70_000),
        code in prop::sample::select(vec![1000u16, 1002, 1009, 3000, 4999]),
        reason in ".{0,200}",
    ) {
        let mut bytes = Vec::new();
        encoder::write_text(&mut bytes, text.as_bytes());
        encoder::write_binary(&mut bytes, &long);
        encoder::write_ping(&mut bytes, &long);
        encoder::write_pong(&mut bytes, text.as_bytes());
        encoder::write_close(&mut bytes, Some(code), &reason);
        let seen = read_by_peer(bytes);
        prop_assert_eq!(&seen[0], &Peer::Text(Utf8Bytes::from(text.as_str())));
        prop_assert_eq!(&seen[1], &Peer::Binary(long.clone().into()));
        let short = |bytes: &[u8]| bytes[..bytes.len().min(125)].to_vec();
        prop_assert_eq!(&seen[2], &Peer::Ping(short(&long).into()));
        prop_assert_eq!(&seen[3], &Peer::Pong(short(text.as_bytes()).into()));
        let Peer::Close(Some(close)) = &seen[4] else {
            panic!("a close was written");
        };
        prop_assert_eq!(u16::from(close.code), code);
        prop_assert!(reason.starts_with(close.reason.as_str()));
        prop_assert!(close.reason.len() + 4 > reason.len().min(123));
    }
}

#[test]
fn the_server_writes_lengths_in_as_few_bytes_as_they_need() {
    for (length, head) in [
        (0, &[0x82, 0][..]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (0xFFFF, &[0x82, 126, 0xFF, 0xFF]),
        (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut bytes = Vec::new();
        encoder::write_binary(&mut bytes, &vec![7; length]);
        assert_eq!((&bytes[..head.len()], bytes.len()), (head, head.len() + length));
    }
}

#[test]
fn every_deflated_message_ends_without_its_tail() {
    assert!(!deflated(&[b'a'; 500]).ends_with(&DEFLATE_TAIL));
}
