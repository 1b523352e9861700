//! Places come and go, in every part of a log's list, and nothing is left of them.

use super::bench::*;
use super::*;

/// Three readers of `a` in each part of the log's list: those who have everything, those with
/// something to read, and those who wait for a page.
fn crowd() -> (Bench, Vec<ReaderKey>) {
    let mut bench = Bench::new(4, 10_000);
    bench.publish_many("a", 3);
    let mut readers: Vec<_> = (0..6).map(|_| bench.listener(TEXT, "a")).collect();
    bench.publish("a");
    readers[..3].iter().for_each(|reader| {
        bench.visit(*reader, usize::MAX);
    });
    readers[3..].iter().for_each(|reader| {
        bench.visit(*reader, 0);
    });
    for after in 0..3 {
        let reader = bench.reader(TEXT);
        bench.follow_after(reader, "a", at(after));
        bench.visit(reader, usize::MAX);
        readers.push(reader);
    }
    readers.iter().for_each(|reader| drop(bench.heard(*reader)));
    (bench, readers)
}

/// What each of the crowd has yet to hear of publications up to 5.
const MISSING: [u64; 9] = [5, 5, 5, 4, 4, 4, 1, 2, 3];

#[test]
fn a_place_may_be_removed_from_every_part() {
    for gone in 0..9 {
        for other in 0..9 {
            let (mut bench, readers) = crowd();
            assert!(bench.unfollow(readers[gone], "a"));
            if other != gone {
                bench.lane.remove_reader(readers[other]);
            }
            bench.publish("a");
            readers.iter().for_each(|reader| bench.lane.unblock(*reader));
            bench.finish();
            for (i, reader) in readers.iter().enumerate() {
                let expected = match i {
                    _ if i == gone => "[end a];".into(),
                    _ if i == other => String::new(),
                    _ => frames("a", MISSING[i]..=5),
                };
                assert_eq!(bench.heard(*reader), expected, "reader {i} without {gone}, {other}");
            }
            assert_eq!(bench.lane.log_bytes(), 0);
        }
    }
}

#[test]
fn the_last_reader_takes_the_log_along() {
    let (mut bench, readers) = crowd();
    bench.publish("a");
    assert!(bench.lane.log_bytes() > 0);
    readers.iter().for_each(|reader| bench.lane.remove_reader(*reader));
    bench.assert_forgotten();
    bench.sweep();
    assert!(!bench.load() || bench.loads.is_empty(), "a late page is passed over");
    bench.assert_forgotten();
}

#[test]
fn a_slot_is_used_again() {
    let mut bench = Bench::new(4, 10_000);
    let reader = bench.listener(TEXT, "a");
    for channel in ["b", "c", "d", "b"] {
        bench.follow(reader, channel);
        bench.publish(channel);
        bench.finish();
        assert!(bench.heard(reader).ends_with(';'));
        assert!(bench.unfollow(reader, channel));
        assert!(!bench.unfollow(reader, channel), "it is followed no more");
    }
    assert_eq!(bench.lane.readers[reader.0 as usize].places.len(), 2);
    bench.publish("a");
    bench.finish();
    assert!(bench.heard(reader).ends_with("a1.;"));
}

#[test]
fn a_channel_followed_again_begins_where_it_is_told() {
    let mut bench = Bench::new(4, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.publish_many("a", 2);
    bench.unfollow(reader, "a");
    bench.follow_after(reader, "a", at(1));
    bench.finish();
    let expected = "[end a];[begin a 00000001 1];a2..;";
    assert_eq!(bench.heard(reader), expected, "nothing of the first time comes after its end");
}

#[test]
fn an_end_inside_a_frame_lets_the_frame_end() {
    let mut bench = Bench::new(4, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.publish_many("a", 2);
    bench.visit(reader, 2);
    bench.unfollow(reader, "a");
    bench.lane.unblock(reader);
    bench.finish();
    assert_eq!(bench.heard(reader), "a1.;[end a];");
    bench.assert_forgotten();
}

#[test]
fn a_new_reader_in_an_old_ones_seat_hears_nothing_meant_for_that() {
    let mut bench = Bench::new(4, 10_000);
    bench.publish_many("a", 3);
    let old = bench.reader(TEXT);
    bench.follow_after(old, "a", at(0));
    bench.sweep();
    bench.tell(old, "secret");
    bench.lane.remove_reader(old);
    let new = bench.reader(TEXT);
    assert_eq!(new, old, "the seat is the same");
    bench.follow(new, "b");
    bench.finish();
    assert_eq!(bench.heard(new), "[begin b 00000001 0];");
}

#[test]
fn calls_for_a_reader_that_has_gone_are_passed_over() {
    let mut bench = Bench::new(4, 10_000);
    let gone = bench.listener(TEXT, "a");
    bench.lane.remove_reader(gone);
    bench.lane.remove_reader(gone);
    bench.lane.unblock(gone);
    bench.lane.block(gone);
    assert_eq!(bench.lane.push(gone, Bytes::from_static(b"x")), Ok(()));
    assert!(!bench.lane.end(gone, &name("a")) && !bench.lane.set_wire(gone, LOUD));
    assert_eq!(bench.visit(gone, 10), Visit::Nothing);
    bench.follow_after(gone, "a", at(0));
    assert_eq!(bench.lane.cursor(gone), Cursor::default());
    bench.assert_forgotten();
}

/// There is one for each connection, and a sweep passes over all of them.
#[test]
fn a_reader_is_small() {
    let bytes = size_of::<Reader>();
    assert!(bytes <= 88, "{bytes}");
}
