//! Readers at the head: one write, partial writes, private frames, several channels and wires.

use super::bench::*;
use super::*;

#[test]
fn publications_that_came_together_are_written_together() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.publish_many("a", 4);
    assert_eq!(bench.lane.poll_marked(), Some(reader));
    assert_eq!(bench.lane.poll_marked(), None, "a reader is marked once");
    assert_eq!(bench.visit(reader, usize::MAX), Visit::Written);
    assert_eq!(bench.heard(reader), frames("a", 1..=4));
    assert_eq!(bench.lane.log_bytes(), 0, "everybody has everything");
    assert_eq!(bench.visit(reader, usize::MAX), Visit::Nothing);
}

#[test]
fn a_publication_is_encoded_once_for_all_readers_of_a_wire() {
    let mut bench = Bench::new(100, 10_000);
    let quiet: Vec<_> = (0..5).map(|_| bench.listener(TEXT, "a")).collect();
    let loud = bench.listener(LOUD, "a");
    bench.publish("a");
    assert_eq!(bench.wires.encoded, 2);
    bench.sweep();
    for reader in quiet {
        assert_eq!(bench.heard(reader), "a1.;");
    }
    assert_eq!(bench.heard(loud), "A1.;");
}

#[test]
fn a_write_may_stop_anywhere() {
    for room in 1..30 {
        let mut bench = Bench::new(100, 10_000);
        let reader = bench.listener(TEXT, "a");
        bench.tell(reader, "one");
        bench.tell(reader, "two");
        bench.publish_many("a", 5);
        let (mut writes, mut all) = (0, String::new());
        while let Some(key) = bench.lane.poll_marked() {
            if bench.visit(key, room) == Visit::Blocked {
                assert_eq!(bench.lane.poll_marked(), None, "a full socket is left alone");
                bench.lane.unblock(key);
            }
            all += &bench.heard(reader);
            writes += 1;
            assert!(writes < 100);
        }
        assert_eq!(all, format!("[one];[two];{}", frames("a", 1..=5)), "{room} at a time");
        assert!(!bench.lane.owes(reader));
        assert_eq!(bench.lane.cursor(reader).to_string(), "5.00000001.a");
    }
}

#[test]
fn a_full_socket_is_not_visited_until_it_takes_bytes_again() {
    let mut bench = Bench::new(100, 10_000);
    let (slow, quick) = (bench.listener(TEXT, "a"), bench.listener(TEXT, "a"));
    bench.publish("a");
    assert_eq!(bench.visit(slow, 0), Visit::Blocked);
    bench.publish("a");
    bench.tell(slow, "psst");
    bench.sweep();
    assert_eq!((bench.heard(slow), bench.heard(quick)), (String::new(), frames("a", 1..=2)));
    bench.lane.unblock(slow);
    bench.sweep();
    assert_eq!(bench.heard(slow), format!("[psst];{}", frames("a", 1..=2)));
}

#[test]
fn a_reader_that_is_blocked_from_outside_waits_too() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.publish("a");
    bench.lane.block(reader);
    bench.sweep();
    assert_eq!(bench.heard(reader), "");
    bench.lane.unblock(reader);
    bench.sweep();
    assert_eq!(bench.heard(reader), "a1.;");
}

#[test]
fn private_frames_keep_their_place_between_what_was_written_and_what_comes() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.publish("a");
    bench.visit(reader, 2);
    bench.tell(reader, "answer");
    bench.publish("a");
    bench.lane.unblock(reader);
    bench.sweep();
    assert_eq!(bench.heard(reader), "a1.;[answer];a2..;");
}

#[test]
fn many_private_frames_go_in_several_visits() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.publish("a");
    let expected: String = (0..200).map(|i| format!("[{i}];")).collect();
    (0..200).for_each(|i| bench.tell(reader, &i.to_string()));
    bench.sweep();
    assert_eq!(bench.heard(reader), format!("{expected}a1.;"));
}

#[test]
fn a_reader_that_does_not_read_is_owed_so_much_and_no_more() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.reader(TEXT);
    assert_eq!(bench.lane.push(reader, Bytes::from(vec![b'x'; 10_000])), Ok(()));
    assert_eq!(bench.lane.push(reader, Bytes::from_static(b"x")), Err(Overfull));
    bench.sweep();
    assert_eq!(bench.lane.push(reader, Bytes::from_static(b"x")), Ok(()));
}

#[test]
fn nobody_is_too_slow_for_one_long_frame() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.reader(TEXT);
    let long = Bytes::from(vec![b'x'; 20_000]);
    assert_eq!(bench.lane.push(reader, long.clone()), Ok(()));
    assert_eq!(bench.lane.push(reader, long), Err(Overfull));
}

#[test]
fn an_empty_frame_is_none() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.reader(TEXT);
    bench.lane.push(reader, Bytes::new()).unwrap();
    assert!(!bench.lane.owes(reader) && !bench.lane.any_marked());
}

#[test]
fn a_reader_of_several_channels_gets_each_in_order() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.follow(reader, "b");
    bench.sweep();
    bench.heard(reader);
    bench.publish("b");
    bench.publish("a");
    bench.publish("b");
    bench.sweep();
    assert_eq!(bench.heard(reader), "b1.;b2..;a1.;", "channel by channel");
    assert_eq!(bench.lane.cursor(reader).to_string(), "1.00000001.a~2.00000001.b");
}

#[test]
fn who_comes_and_goes_is_told_between_publications() {
    let mut bench = Bench::new(100, 10_000);
    let (reader, terse) = (bench.listener(TEXT, "a"), bench.listener(TERSE, "a"));
    bench.publish("a");
    bench.join("a", 7);
    bench.publish("a");
    bench.leave("a", 7);
    bench.sweep();
    assert_eq!(bench.heard(reader), "a1.;a+7;a2..;a-7;");
    assert_eq!(bench.heard(terse), "a1.;a2..;", "this wire has no words for it");
    bench.join("a", 8);
    assert_eq!(bench.lane.poll_marked(), Some(reader));
    assert_eq!(bench.lane.poll_marked(), None, "nothing was written for this wire");
}

#[test]
fn a_wire_changes_only_before_anything_is_followed() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.reader(TEXT);
    assert!(bench.lane.set_wire(reader, LOUD));
    bench.follow(reader, "a");
    assert!(!bench.lane.set_wire(reader, TEXT));
    bench.publish("a");
    bench.sweep();
    assert!(bench.heard(reader).ends_with("A1.;"));
}

#[test]
fn when_it_was_written_to_is_known() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    let silent = bench.reader(TEXT);
    assert_eq!((bench.lane.sent_at(reader), bench.lane.sent_at(silent)), (Instant(1), Instant(0)));
}

#[test]
fn whoever_begins_hears_of_its_own_coming() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.reader(TEXT);
    bench.follow(reader, "a");
    bench.join("a", 7);
    bench.sweep();
    assert!(bench.heard(reader).ends_with("a+7;"));
}
