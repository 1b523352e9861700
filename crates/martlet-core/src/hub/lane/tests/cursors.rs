//! Readers whose frames are each followed by their own cursor.

use super::bench::*;
use super::*;

fn two_channels() -> (Bench, ReaderKey) {
    let mut bench = Bench::new(100, 10_000);
    let reader = bench.listener(CURSOR, "a");
    bench.follow(reader, "b");
    bench.finish();
    bench.heard(reader);
    (bench, reader)
}

#[test]
fn every_frame_is_followed_by_the_cursor_to_come_back_with() {
    let (mut bench, reader) = two_channels();
    bench.publish_many("a", 2);
    bench.publish("b");
    bench.join("a", 7);
    bench.sweep();
    let e = "00000001";
    assert_eq!(
        bench.heard(reader),
        format!(
            "a1.;#1.{e}.a~0.{e}.b;a2..;#2.{e}.a~0.{e}.b;a+7;#2.{e}.a~0.{e}.b;b1.;#2.{e}.a~1.{e}.b;"
        )
    );
}

#[test]
fn a_write_may_stop_in_a_frame_or_in_its_cursor() {
    let expected = {
        let (mut bench, reader) = two_channels();
        bench.publish_many("a", 3);
        bench.publish_many("b", 2);
        bench.sweep();
        bench.heard(reader)
    };
    for room in 1..80 {
        let (mut bench, reader) = two_channels();
        bench.publish_many("a", 3);
        bench.publish_many("b", 2);
        while let Some(key) = bench.lane.poll_marked() {
            bench.visit(key, room);
            bench.lane.unblock(key);
            if !bench.lane.owes(key) && bench.heard[&key].len() >= expected.len() {
                break;
            }
        }
        assert_eq!(bench.heard(reader), expected, "{room} at a time");
    }
}

#[test]
fn more_frames_than_one_visit_takes_come_in_several() {
    let (mut bench, reader) = two_channels();
    bench.publish_many("a", 90);
    bench.publish_many("b", 5);
    bench.sweep();
    let heard = bench.heard(reader);
    let frames: Vec<_> = heard.split(';').filter(|f| f.starts_with(['a', 'b'])).collect();
    assert_eq!(frames.len(), 95);
    assert!(heard.ends_with("#90.00000001.a~5.00000001.b;"));
    assert_eq!(bench.lane.log_bytes(), 0);
}

#[test]
fn pages_have_cursors_too() {
    let mut bench = Bench::new(100, 10_000);
    bench.publish_many("a", 2);
    let reader = bench.reader(CURSOR);
    bench.follow_after(reader, "a", at(0));
    bench.finish();
    assert!(bench.heard(reader).ends_with("a1.;#1.00000001.a;a2..;#2.00000001.a;"));
}
