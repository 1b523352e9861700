//! Readers who are not at the head: who begin behind or ahead, who lag, and streams that jump.

use super::bench::*;
use super::*;
use crate::model::Epoch;

fn with_history(count: usize) -> Bench {
    let mut bench = Bench::new(4, 10_000);
    bench.publish_many("a", count);
    bench
}

#[test]
fn a_reader_that_begins_behind_reads_pages_and_then_live() {
    let mut bench = with_history(10);
    bench.page = 3;
    let reader = bench.reader(TEXT);
    bench.follow_after(reader, "a", at(2));
    bench.sweep();
    assert_eq!(bench.heard(reader), "[begin a 00000001 2];");
    bench.publish("a");
    bench.finish();
    assert_eq!(bench.heard(reader), frames("a", 3..=11));
    bench.publish("a");
    assert!(bench.loads.is_empty());
    bench.sweep();
    assert_eq!(bench.heard(reader), frames("a", 12..=12), "it is live now");
    assert_eq!(bench.lane.log_bytes(), 0);
}

#[test]
fn readers_behind_share_a_page() {
    let mut bench = with_history(10);
    let readers: Vec<_> = (0..4).map(|_| bench.reader(TEXT)).collect();
    for (i, reader) in readers.iter().enumerate() {
        bench.follow_after(*reader, "a", at(i as u64));
    }
    bench.sweep();
    assert_eq!(bench.loads.len(), 1, "{:?}", bench.loads);
    bench.finish();
    assert_eq!(bench.wires.encoded, 10);
    for (i, reader) in readers.iter().enumerate() {
        assert!(bench.heard(*reader).ends_with(&frames("a", i as u64 + 1..=10)));
    }
}

#[test]
fn two_wires_behind_get_each_its_own_pages() {
    let mut bench = with_history(3);
    let (quiet, loud) = (bench.reader(TEXT), bench.reader(LOUD));
    bench.follow_after(quiet, "a", at(1));
    bench.follow_after(loud, "a", at(1));
    bench.finish();
    assert!(bench.heard(quiet).ends_with("];a2..;a3;"));
    assert!(bench.heard(loud).ends_with("];A2..;A3;"));
}

#[test]
fn a_reader_that_is_ahead_of_the_node_gets_nothing_twice() {
    let mut bench = Bench::new(100, 10_000);
    bench.publish("a");
    (0..4).for_each(|_| bench.append("a"));
    let reader = bench.listener(TEXT, "a");
    let ahead = bench.reader(TEXT);
    bench.follow_after(ahead, "a", at(4));
    bench.finish();
    bench.heard(ahead);
    (0..4).for_each(|_| bench.deliver("a"));
    bench.sweep();
    assert_eq!(bench.heard(reader), frames("a", 2..=5));
    assert_eq!(bench.heard(ahead), frames("a", 5..=5));
}

#[test]
fn a_reader_that_is_ahead_is_not_set_back_by_a_jump() {
    let mut bench = Bench::new(100, 10_000);
    bench.publish("a");
    (0..8).for_each(|_| bench.append("a"));
    let ahead = bench.reader(TEXT);
    bench.follow_after(ahead, "a", at(8));
    bench.finish();
    bench.heard(ahead);
    bench.jump("a", at(5));
    bench.sweep();
    (0..4).for_each(|_| bench.deliver("a"));
    bench.finish();
    assert_eq!(bench.heard(ahead), frames("a", 9..=9));
}

#[test]
fn a_reader_that_is_ahead_has_not_fallen_behind_when_the_log_lets_go_of_what_it_has() {
    let mut bench = Bench::new(2, 10_000);
    bench.publish("a");
    (0..6).for_each(|_| bench.append("a"));
    let slow = bench.listener(TEXT, "a");
    let ahead = bench.reader(TEXT);
    bench.follow_after(ahead, "a", at(6));
    bench.finish();
    bench.heard(ahead);
    (0..5).for_each(|_| bench.deliver("a"));
    bench.finish();
    assert!(bench.heard(slow).contains("lagged"), "the log is too short for this test's sake");
    assert_eq!(bench.heard(ahead), "");
    bench.deliver("a");
    bench.finish();
    assert_eq!(bench.heard(ahead), frames("a", 7..=7));
}

/// A reader that has `a1` and then takes nothing while `count` more are published.
fn lagging(bench: &mut Bench, count: usize) -> ReaderKey {
    let reader = bench.listener(TEXT, "a");
    bench.publish("a");
    bench.sweep();
    bench.publish("a");
    assert_eq!(bench.visit(reader, 0), Visit::Blocked);
    bench.publish_many("a", count - 1);
    bench.lane.unblock(reader);
    reader
}

#[test]
fn a_reader_left_behind_by_the_log_is_told_and_caught_up() {
    let mut bench = Bench::new(4, 10_000);
    let reader = lagging(&mut bench, 9);
    bench.finish();
    let expected = format!("{}[lagged a 1 10];{}", frames("a", 1..=1), frames("a", 2..=10));
    assert_eq!(bench.heard(reader), expected);
    bench.publish("a");
    bench.sweep();
    assert_eq!(bench.heard(reader), frames("a", 11..=11));
    assert_eq!(bench.lane.log_bytes(), 0);
}

#[test]
fn a_reader_is_not_left_behind_before_the_log_is_full() {
    let mut bench = Bench::new(4, 10_000);
    let reader = lagging(&mut bench, 4);
    bench.finish();
    assert_eq!(bench.heard(reader), frames("a", 1..=5));
}

#[test]
fn what_the_history_lost_is_named_and_nothing_else_is_missing() {
    let mut bench = Bench::new(4, 10_000);
    let reader = lagging(&mut bench, 9);
    bench.channel("a").first = 5;
    bench.finish();
    let told = "[lagged a 1 10];[gap a 2 4 expired 00000001 4];";
    let expected = format!("{}{told}{}", frames("a", 1..=1), frames("a", 5..=10));
    assert_eq!(bench.heard(reader), expected);
}

#[test]
fn without_history_a_lagging_reader_still_gets_what_the_log_has() {
    let mut bench = Bench::new(4, 10_000);
    bench.channel("a").kept = false;
    let reader = lagging(&mut bench, 9);
    bench.finish();
    let told = "[lagged a 1 10];[gap a 2 6 not_kept 00000001 6];";
    let expected = format!("{}{told}{}", frames("a", 1..=1), frames("a", 7..=10));
    assert_eq!(bench.heard(reader), expected);
}

#[test]
fn what_comes_while_a_page_is_awaited_is_kept_for_the_reader() {
    let mut bench = Bench::new(4, 10_000);
    bench.channel("a").kept = false;
    bench.publish_many("a", 3);
    let reader = bench.reader(TEXT);
    bench.follow_after(reader, "a", at(1));
    bench.sweep();
    bench.publish_many("a", 2);
    bench.finish();
    let expected = "[begin a 00000001 1];[gap a 2 3 not_kept 00000001 3];";
    assert_eq!(bench.heard(reader), format!("{expected}{}", frames("a", 4..=5)));
}

#[test]
fn a_slow_reader_costs_the_others_nothing() {
    let mut bench = Bench::new(4, 10_000);
    let quick = bench.listener(TEXT, "a");
    let slow = lagging(&mut bench, 9);
    assert_eq!(bench.heard(quick), frames("a", 1..=1));
    bench.sweep();
    assert_eq!(bench.heard(quick), "[lagged a 1 10];", "here it was as slow");
    bench.finish();
    bench.publish("a");
    bench.visit(slow, 0);
    for _ in 0..20 {
        bench.publish("a");
        bench.visit(quick, usize::MAX);
    }
    assert!(bench.heard(quick).ends_with(&frames("a", 2..=31)));
    assert!(bench.lane.streams.iter().all(|(_, s)| s.logs[0].frames.len() <= 4));
}

#[test]
fn a_log_is_bounded_in_bytes_too() {
    let mut bench = Bench::new(1_000, 50);
    let reader = lagging(&mut bench, 100);
    assert!(bench.lane.log_bytes() <= 50);
    bench.finish();
    assert!(bench.heard(reader).ends_with(&frames("a", 2..=101)));
}

#[test]
fn a_jump_in_the_same_history_is_made_good_from_it() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    (0..5).for_each(|_| bench.append("a"));
    bench.jump("a", at(3));
    bench.deliver("a");
    bench.finish();
    bench.deliver("a");
    bench.finish();
    assert_eq!(bench.heard(reader), frames("a", 1..=5));
}

#[test]
fn a_jump_without_history_loses_what_was_jumped_over_and_no_more() {
    let mut bench = Bench::new(100, 10_000);
    bench.channel("a").kept = false;
    let reader = bench.listener(TEXT, "a");
    (0..6).for_each(|_| bench.append("a"));
    bench.jump("a", at(3));
    bench.deliver("a");
    bench.sweep();
    bench.deliver("a");
    bench.finish();
    let gap = "[gap a 1 3 not_kept 00000001 3];";
    assert_eq!(bench.heard(reader), format!("{gap}{}", frames("a", 4..=5)));
}

#[test]
fn a_new_history_is_told_to_everyone_and_read_from_its_beginning() {
    let mut bench = with_history(3);
    let live = bench.listener(TEXT, "a");
    bench.publish_many("a", 3);
    bench.visit(live, 6);
    let waiting = bench.reader(TEXT);
    bench.follow_after(waiting, "a", at(1));
    bench.visit(waiting, usize::MAX);
    bench.jump("a", Position { epoch: Epoch::new(2), offset: 0 });
    bench.publish("a");
    bench.lane.unblock(live);
    bench.finish();
    let gap = |from| format!("[gap a {from} ? epoch 00000002 0];a1!;");
    assert_eq!(bench.heard(live), format!("{}{}", frames("a", 4..=5), gap(6)));
    assert_eq!(bench.heard(waiting), format!("[begin a 00000001 1];{}", gap(2)));
    assert_eq!(bench.lane.cursor(live).to_string(), "1.00000002.a");
}

#[test]
fn a_page_of_an_old_history_is_not_read() {
    for first in [1, 6] {
        let mut bench = with_history(8);
        bench.channel("a").first = first;
        let reader = bench.reader(TEXT);
        bench.follow_after(reader, "a", at(0));
        bench.sweep();
        let old = bench.channels[&name("a")].page(&name("a"), 0, 9);
        bench.jump("a", Position { epoch: Epoch::new(2), offset: 0 });
        bench.publish_many("a", 7);
        bench.sweep();
        bench.lane.handle_loaded(&name("a"), 0, &old, &mut bench.wires);
        bench.finish();
        let told = "[begin a 00000001 0];[gap a 1 ? epoch 00000002 0];";
        let new = frames("a", 1..=7).replace('.', "!");
        assert_eq!(bench.heard(reader), format!("{told}{new}"));
    }
}

#[test]
fn a_page_left_from_an_old_history_is_not_read() {
    let mut bench = with_history(8);
    bench.page = 3;
    let reader = bench.reader(TEXT);
    bench.follow_after(reader, "a", at(0));
    bench.sweep();
    bench.load();
    bench.jump("a", Position { epoch: Epoch::new(2), offset: 0 });
    bench.publish_many("a", 7);
    bench.finish();
    assert!(bench.heard(reader).ends_with(&frames("a", 1..=7).replace('.', "!")));
}

#[test]
fn a_page_that_nobody_waits_for_any_more_is_not_kept() {
    let mut bench = with_history(8);
    let live = bench.listener(TEXT, "a");
    let gone = bench.reader(TEXT);
    bench.follow_after(gone, "a", at(0));
    bench.sweep();
    bench.unfollow(gone, "a");
    bench.finish();
    assert_eq!(bench.lane.log_bytes(), 0);
    bench.publish("a");
    bench.sweep();
    assert_eq!(bench.heard(live), frames("a", 9..=9));
}

#[test]
fn a_page_that_could_not_be_read_is_asked_for_again() {
    let mut bench = with_history(5);
    let reader = bench.reader(TEXT);
    bench.follow_after(reader, "a", at(2));
    bench.sweep();
    let (channel, after) = bench.loads.pop_front().unwrap();
    bench.lane.retry();
    bench.sweep();
    assert!(bench.loads.is_empty(), "it is still on its way");
    bench.lane.handle_load_failed(&channel, after);
    bench.sweep();
    assert!(bench.loads.is_empty(), "not at once");
    bench.lane.retry();
    bench.finish();
    assert!(bench.heard(reader).ends_with(&frames("a", 3..=5)));
}

#[test]
fn a_store_that_is_behind_the_lane_is_not_asked_without_end() {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(TEXT, "a");
    bench.publish_many("a", 2);
    bench.jump("a", at(3));
    bench.sweep();
    bench.finish();
    assert_eq!(bench.heard(reader), frames("a", 1..=2), "the store knows no third one yet");
    bench.append("a");
    bench.lane.retry();
    bench.finish();
    assert_eq!(bench.heard(reader), frames("a", 3..=3));
}

#[test]
fn deliveries_and_pages_of_a_channel_that_nobody_reads_are_passed_over() {
    let mut bench = with_history(3);
    let reader = bench.reader(TEXT);
    bench.follow_after(reader, "a", at(0));
    bench.sweep();
    bench.unfollow(reader, "a");
    bench.publish("a");
    bench.join("a", 1);
    bench.finish();
    assert_eq!(bench.heard(reader), "[begin a 00000001 0];[end a];");
    bench.assert_forgotten();
}

#[test]
fn whoever_hears_what_is_new_does_not_wait_for_those_who_catch_up() {
    let mut bench = with_history(3);
    let live = bench.listener(TEXT, "live");
    let readers: Vec<ReaderKey> = (0..20).map(|_| bench.reader(TEXT)).collect();
    readers.iter().for_each(|reader| bench.follow_after(*reader, "a", at(0)));
    bench.sweep();
    while bench.load() {}
    bench.publish("live");
    let order: Vec<ReaderKey> = std::iter::from_fn(|| bench.lane.poll_marked()).collect();
    assert_eq!(order.len(), 21, "nobody is passed over");
    assert_eq!(order[0], live);
}

#[test]
fn whoever_catches_up_has_a_turn_between_those_who_hear_what_is_new() {
    let mut bench = with_history(3);
    let live: Vec<ReaderKey> = (0..20).map(|_| bench.listener(TEXT, "live")).collect();
    let behind = bench.reader(TEXT);
    bench.follow_after(behind, "a", at(0));
    bench.sweep();
    while bench.load() {}
    bench.publish("live");
    let order: Vec<ReaderKey> = std::iter::from_fn(|| bench.lane.poll_marked()).collect();
    assert_eq!(order.len(), live.len() + 1);
    assert!(order[..5].contains(&behind), "{order:?}");
}
