//! What a lane holds is counted, and let go of when there is too little room.

use super::bench::*;
use super::*;

/// A reader that has fallen behind by so many publications, and has been written a part of one.
fn stuck(bench: &mut Bench, count: usize) -> ReaderKey {
    let reader = bench.listener(TEXT, "a");
    bench.publish_many("a", count);
    let marked = bench.lane.poll_marked();
    assert_eq!((marked, bench.visit(reader, 1)), (Some(reader), Visit::Blocked));
    reader
}

#[test]
fn logs_are_cut_and_whoever_is_behind_is_caught_up_from_the_history() {
    let mut bench = Bench::new(100, 10_000);
    let reader = stuck(&mut bench, 10);
    assert!(bench.lane.log_bytes() > 0);
    bench.lane.cut_logs(0);
    assert_eq!((bench.lane.log_bytes(), bench.lane.log_weight()), (0, 0));
    bench.lane.unblock(reader);
    bench.finish();
    let rest = frames("a", 2..=10);
    assert_eq!(bench.heard(reader), format!("a1.;[lagged a 1 10];{rest}"));
    bench.assert_weighed();
}

#[test]
fn the_newest_stays_while_those_at_the_head_are_about_to_get_it() {
    let mut bench = Bench::new(100, 10_000);
    let slow = stuck(&mut bench, 10);
    let brisk = bench.listener(TEXT, "a");
    bench.publish("a");
    bench.lane.cut_logs(0);
    bench.sweep();
    assert_eq!(bench.heard(brisk), frames("a", 11..=11));
    bench.lane.cut_logs(0);
    assert_eq!(bench.lane.log_weight(), 0);
    bench.lane.unblock(slow);
    bench.finish();
    assert!(bench.heard(slow).ends_with(&frames("a", 2..=11)));
}

#[test]
fn logs_stay_short_until_there_is_room_again() {
    let mut bench = Bench::new(100, 10_000);
    let reader = stuck(&mut bench, 1);
    bench.lane.cut_logs(12);
    bench.publish_many("a", 9);
    assert!(bench.lane.log_bytes() <= 12, "{}", bench.lane.log_bytes());
    bench.lane.ease();
    bench.publish_many("a", 10);
    assert!(bench.lane.log_bytes() > 12);
    bench.lane.unblock(reader);
    bench.finish();
    assert!(bench.heard(reader).ends_with(&frames("a", 2..=20)));
}

#[test]
fn what_readers_are_owed_is_found_by_its_size_and_let_go_but_for_a_frame_that_was_begun() {
    let mut bench = Bench::new(100, 10_000);
    let [little, much, brisk] = [0; 3].map(|_| bench.reader(TEXT));
    bench.tell(little, "little");
    bench.tell(brisk, "as much as can be, but it takes it");
    (0..5).for_each(|n| bench.tell(much, &format!("much {n}")));
    bench.visit(little, 0);
    bench.visit(much, 4);
    let most = bench.lane.most_owed(1);
    let keys: Vec<_> = most.iter().map(|(_, key)| *key).collect();
    assert_eq!(keys, [much, little], "not {brisk:?}");
    assert_eq!(bench.lane.most_owed(20).len(), 1);
    bench.lane.forget_owed(much);
    assert_eq!(bench.lane.owed_bytes(much), "h 0];".len());
    bench.assert_weighed();
    bench.tell(much, "the end");
    bench.lane.unblock(much);
    bench.sweep();
    assert_eq!(bench.heard(much), "[much 0];[the end];");
    bench.lane.unblock(little);
    bench.sweep();
    assert_eq!(bench.lane.owed_weight(), 0);
}
