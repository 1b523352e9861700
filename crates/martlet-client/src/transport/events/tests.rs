//! The reader against the cases of the format, and against every way of cutting the bytes.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Events, Item, TooLarge};

fn read(pieces: &[&[u8]]) -> Vec<Item> {
    let mut events = Events::new(1024);
    let mut items = Vec::new();
    for piece in pieces {
        events.read(piece, |item| items.push(item)).unwrap();
    }
    items
}

fn data(text: &'static str) -> Item {
    Item::Data(Bytes::from_static(text.as_bytes()))
}

#[test]
fn lines_of_one_event_are_joined() {
    let items = read(&[b": hello\nretry: 2000\n\nid: 4\ndata: a\ndata:b\ndata:  c\n\n"]);
    assert_eq!(items, [Item::Comment, data("a\nb\n c")]);
}

#[test]
fn every_line_end_counts_once() {
    assert_eq!(
        read(&[b"data: a\r\n\r\ndata: b\r\rdata: c\n\n"]),
        [data("a"), data("b"), data("c")]
    );
}

#[test]
fn a_line_feed_after_a_carriage_return_is_no_empty_line() {
    assert_eq!(read(&[b"data: a\r\ndata: b\r\n\r\n"]), [data("a\nb")]);
    assert_eq!(read(&[b"data: a\r", b"\ndata: b\r\n\r\n"]), [data("a\nb")]);
}

#[test]
fn a_line_end_may_be_cut_in_two() {
    assert_eq!(read(&[b"data: a\r", b"\n\r", b"\ndata: b\n\n"]), [data("a"), data("b")]);
}

#[test]
fn a_character_may_be_cut_in_two() {
    assert_eq!(read(&[b"data: \xc3", b"\xa4\n\n"]), [data("ä")]);
}

#[test]
fn an_unfinished_event_is_none() {
    assert_eq!(read(&[b"data: a\ndata: b"]), []);
}

#[test]
fn a_byte_order_mark_is_passed_over_at_the_start_only() {
    assert_eq!(read(&["\u{feff}data: a\n\n\u{feff}data: b\n\n".as_bytes()]), [data("a")]);
}

#[test]
fn an_event_without_data_is_none_and_with_empty_data_is_one() {
    assert_eq!(read(&[b"id: 1\n\ndata\n\n"]), [data("")]);
}

#[test]
fn an_event_over_the_limit_is_refused_before_it_is_kept() {
    let mut events = Events::new(16);
    assert_eq!(events.read(b"data: 0123456789\n\n", |_| {}), Ok(()));
    assert_eq!(events.read(b"data: 01234\ndata: 01", |_| {}), Ok(()));
    assert_eq!(events.read(b"2345\n", |_| {}), Err(TooLarge));
}

proptest! {
    #[test]
    fn however_it_is_cut_it_reads_the_same(
        lines in prop::collection::vec("(data|id|event|:)?:? ?[a-zäö€:]{0,6}(\n|\r|\r\n)", 0..12),
        cuts in prop::collection::vec(0usize..100, 0..8),
    ) {
        let text = lines.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut begin = 0;
        for cut in cuts {
            pieces.push(&text.as_bytes()[begin..cut]);
            begin = cut;
        }
        pieces.push(&text.as_bytes()[begin..]);
        prop_assert_eq!(read(&pieces), read(&[text.as_bytes()]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&[&bytes]);
    }
}
