//! Tests of the log.

use proptest::prelude::*;

use super::*;

fn log(frames: &[(Offset, &str)]) -> Log {
    let mut log = Log::new(0);
    for (offset, text) in frames {
        log.append(*offset, |out| out.extend_from_slice(text.as_bytes()));
    }
    log
}

#[test]
fn a_place_reads_everything_to_the_head() {
    let log = log(&[(1, "one"), (2, "two"), (2, "join"), (3, "three")]);
    assert_eq!(log.from(0), Some(&b"onetwojointhree"[..]));
    assert_eq!(log.from(2), Some(&b"jointhree"[..]));
    assert_eq!(log.from(4), Some(&b""[..]));
    assert_eq!(log.frame(1), Some((&b"two"[..], 2)));
    assert_eq!(log.seq_after(0), Some(0));
    assert_eq!(log.seq_after(2), Some(3));
    assert_eq!(log.seq_after(99), Some(4));
}

#[test]
fn a_write_that_stops_inside_a_frame_is_found() {
    let log = log(&[(1, "one"), (2, "two"), (3, "three")]);
    assert_eq!(log.place_after(0, 0), (0, 0));
    assert_eq!(log.place_after(0, 3), (1, 0));
    assert_eq!(log.place_after(0, 5), (1, 2));
    assert_eq!(log.place_after(1, 4), (2, 1));
    assert_eq!(log.place_after(1, 8), (3, 0));
    assert_eq!(log.offset_before(3), 3);
    assert_eq!(log.offset_before(0), 0);
}

#[test]
fn what_was_trimmed_is_missed() {
    let mut log = log(&[(1, "one"), (2, "two"), (3, "three")]);
    log.trim(2, 1_000);
    assert_eq!(log.from(0), None);
    assert_eq!(log.from(1), Some(&b"twothree"[..]));
    assert_eq!(log.seq_after(0), None);
    assert_eq!(log.seq_after(1), Some(1));
    log.trim(10, 4);
    assert_eq!(log.len(), 1, "the newest stays, however large");
    log.clear();
    assert_eq!((log.next(), log.seq_after(3), log.seq_after(2)), (3, Some(3), None));
}

#[test]
fn a_wire_without_words_adds_no_frame() {
    let mut log = log(&[(1, "one")]);
    assert!(!log.append(1, |_| ()));
    assert_eq!(log.next(), 1);
}

proptest! {
    /// Against the plainest model: a list of all frames ever, and how many of them were let go.
    #[test]
    fn is_a_list_without_its_beginning(
        sizes in prop::collection::vec(1usize..40, 1..60),
        frames_max in 1usize..20,
        bytes_max in 1usize..200,
        cut in 0usize..500,
    ) {
        let mut log = Log::new(0);
        let mut model: Vec<Vec<u8>> = Vec::new();
        for (i, size) in sizes.iter().enumerate() {
            let frame = vec![i as u8; *size];
            log.append(i as u64 + 1, |out| out.extend_from_slice(&frame));
            model.push(frame);
            log.trim(frames_max, bytes_max);
            let first = (log.next() - log.len() as u64) as usize;
            prop_assert!(log.len() <= frames_max.max(1));
            prop_assert!(log.byte_len() <= bytes_max || log.len() == 1);
            let rest: Vec<u8> = model[first..].concat();
            prop_assert_eq!(log.from(first as u64), Some(&rest[..]));
            let cut = cut % (rest.len() + 1);
            let (seq, inside) = log.place_after(first as u64, cut);
            let whole: usize = model[first..seq as usize].iter().map(Vec::len).sum();
            prop_assert_eq!(whole + inside, cut);
        }
    }
}
