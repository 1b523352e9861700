//! Heads and bodies that two readers could read in two ways are refused, the others are read.

use martlet_core::model::{Code, Refusal};
use proptest::prelude::*;

use super::body::Chunks;
use super::read::is_worth_parsing;
use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes: 2000, fields: 20, address: 1000 };

fn parse(text: &str) -> Result<Option<(Head, usize)>, Refusal> {
    parse_head(text.as_bytes(), &LIMITS)
}

fn good(text: &str) -> Head {
    parse(text).expect("a good head").expect("a whole head").0
}

fn code_of(text: &str) -> Code {
    parse(text).expect_err(text).code
}

#[test]
fn a_head_is_taken_apart() {
    let text =
        "GET /v1/sse?channel=a%20b&channel=c+d&x HTTP/1.1\r\nHost: a:1\r\nX-Y:  z \r\n\r\nrest";
    let (head, length) = parse(text).expect("a good head").expect("a whole head");
    assert_eq!(&text[length..], "rest");
    assert_eq!((&head.method, head.path()), (&Method::GET, "/v1/sse"));
    let pairs: Vec<_> = head.pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs, ["channel=a b", "channel=c d", "x="]);
    assert_eq!((head.header("x-y"), head.keep_alive()), (Some("z"), true));
    assert_eq!(head.body_length(), BodyLength::Exactly(0));
    assert!(!good("GET / HTTP/1.0\r\n\r\n").keep_alive());
    assert!(!good("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n").keep_alive());
    assert_eq!(good("GET http://b/c?d HTTP/1.1\r\nHost: b\r\n\r\n").path(), "/c");
}

#[test]
fn half_a_head_is_waited_for() {
    let text = "POST /v1/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    for length in 0..text.len() {
        assert!(parse(&text[..length]).expect("nothing wrong so far").is_none());
    }
    assert_eq!(good(text).body_length(), BodyLength::Exactly(3));
}

#[test]
fn the_end_of_a_head_is_found_however_it_is_cut() {
    for text in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n"] {
        for searched in 0..text.len() {
            assert!(is_worth_parsing(text.as_bytes(), searched), "{searched}");
            let worth = is_worth_parsing(&text.as_bytes()[..searched], searched / 2);
            assert!(!worth || searched / 2 == 0, "{searched}");
        }
    }
    assert!(!is_worth_parsing(b"", 0));
}

#[test]
fn heads_with_two_readings_are_refused() {
    let with = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
    for lines in [
        "Host: a",
        "Host: b",
        "X: a\rb",
        "X: a\0b",
        "X: a\r\n folded",
        "X : a",
        "\u{7f}: a",
        "no colon",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3, 3",
        "Content-Length: +3",
        "Content-Length: -1",
        "Content-Length: 0x3",
        "Content-Length: 18446744073709551616",
        "Content-Length:",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        assert_eq!(code_of(&with(lines)), Code::RequestInvalid, "{lines:?}");
    }
    for host in ["a b", "a/b", "user@a", "a,b"] {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(code_of(&text), Code::RequestInvalid, "{host}");
    }
    assert_eq!(code_of("GET / HTTP/1.1\r\n\r\n"), Code::RequestInvalid);
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(code_of(old), Code::RequestInvalid);
}

#[test]
fn strange_request_lines_are_refused() {
    for line in [
        "GET  / HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET /#a HTTP/1.1",
        "GET / HTTP/2.0",
        "GET / HTTP/1.2",
        "\r\n\r\nGET / HTTP/1.1",
        "G\u{0}T / HTTP/1.1",
        "\u{16}\u{3}\u{1}\u{2}\u{0} HTTP/1.1",
    ] {
        let text = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(code_of(&text), Code::RequestInvalid, "{line:?}");
    }
    for method in ["CONNECT a:1", "TRACE /"] {
        let text = format!("{method} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(code_of(&text), Code::MethodNotAllowed);
    }
}

#[test]
fn large_heads_are_refused_by_what_is_large() {
    let long = "a".repeat(1000);
    assert_eq!(code_of(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")), Code::AddressTooLong);
    assert_eq!(code_of(&format!("GET /{long}{long}{long}")), Code::AddressTooLong);
    let lines = format!("X: {long}\r\n").repeat(3);
    assert_eq!(code_of(&format!("GET / HTTP/1.1\r\n{lines}")), Code::HeadTooLarge);
    let many = "X: a\r\n".repeat(21);
    assert_eq!(code_of(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Code::HeadTooLarge);
}

fn chunks_of(text: &[u8]) -> Result<Option<Vec<u8>>, Code> {
    let mut chunks = Chunks::new(100);
    chunks.feed(text).map_err(|refusal| refusal.code)?;
    Ok(chunks.done().then(|| chunks.data().to_vec()))
}

#[test]
fn chunks_are_joined() {
    let text = b"4;name=value\r\nWiki\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(chunks_of(text), Ok(Some(b"Wiki0123456789".to_vec())));
    assert_eq!(chunks_of(b"4\r\nWi"), Ok(None));
}

#[test]
fn bad_chunks_are_refused() {
    let long = format!("1;{}\r\n", "x".repeat(300));
    for text in [
        "\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "1 x\r\n",
        "g\r\n",
        "123456789\r\n",
        "FFFFFFFFFFFFFFFF\r\n",
        "1\n",
        "1\r\r\n",
        "1\r\nab\r\n",
        &long,
        &"a".repeat(400),
    ] {
        assert_eq!(chunks_of(text.as_bytes()), Err(Code::RequestInvalid), "{text:?}");
    }
    assert_eq!(chunks_of(b"65\r\n"), Err(Code::FrameTooLarge));
    assert_eq!(chunks_of(b"64\r\n"), Ok(None));
    assert_eq!(chunks_of(b"60\r\n"), Ok(None));
    let two = [&b"60\r\n"[..], &[b'a'; 0x60], b"\r\n5\r\n"].concat();
    assert_eq!(chunks_of(&two), Err(Code::FrameTooLarge));
    let trailers = format!("0\r\n{}", "A: b\r\n".repeat(40));
    assert_eq!(chunks_of(trailers.as_bytes()), Err(Code::RequestInvalid));
}

#[test]
fn framing_may_not_outweigh_data() {
    let mut chunks = Chunks::new(100_000);
    let piece = format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(2000);
    let refusal = chunks.feed(piece.as_bytes()).expect_err("mostly framing");
    assert_eq!(refusal.code, Code::RequestInvalid);
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_head(&bytes, &LIMITS);
        let _ = Chunks::new(50).feed(&bytes);
    }

    #[test]
    fn heads_with_noise_never_panic(noise in "[ -~\r\n\t\u{0}é]{0,80}") {
        let text = format!("GET /{noise} HTTP/1.1\r\nHost: a\r\n{noise}\r\n\r\n");
        if let Ok(Some((head, length))) = parse(&text) {
            prop_assert!(length <= text.len());
            let _ = (head.pairs().count(), head.keep_alive(), head.body_length());
        }
    }

    #[test]
    fn no_cut_changes_a_body(
        text in "[0-9a-f]{1,2}(;x)?\r\n[a-z]{0,9}\r\n|0\r\n\r\n|[0-9\r\n]{0,9}",
        cut in 0usize..30,
    ) {
        let text = format!("3\r\nabc\r\n{text}0\r\n\r\n").into_bytes();
        let mut whole = Chunks::new(100);
        let at_once = whole.feed(&text).map(|_| (whole.done(), whole.data().to_vec()));
        let mut pieces = Chunks::new(100);
        let cut = cut.min(text.len());
        let in_two = pieces.feed(&text[..cut]).and_then(|used| pieces.feed(&text[used..]));
        let in_two = in_two.map(|_| (pieces.done(), pieces.data().to_vec()));
        prop_assert_eq!(at_once, in_two);
    }
}
