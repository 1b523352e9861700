//! Tests of where a reader begins.

use super::*;
use crate::model::Epoch;

fn channel() -> ChannelName {
    ChannelName::parse("a").unwrap()
}

fn at(epoch: u64, offset: Offset) -> Position {
    Position { epoch: Epoch::new(epoch), offset }
}

fn extent(first: Offset, head: Offset) -> Extent {
    Extent { head: at(1, head), first, kept: true, previous: None }
}

#[test]
fn within_the_history_nothing_is_missing() {
    for seen in [6, 7, 10] {
        let begin = begin(&channel(), at(1, seen), extent(7, 10));
        assert_eq!(begin, Begin { position: at(1, seen), gap: None });
    }
}

#[test]
fn an_expired_position_names_exactly_what_is_missing() {
    let begin = begin(&channel(), at(1, 3), extent(7, 10));
    let gap = begin.gap.unwrap();
    assert_eq!((gap.from, gap.to, gap.reason), (4, Some(6), GapReason::Expired));
    assert_eq!(begin.position, at(1, 6));
    assert_eq!(gap.resume, begin.position);
}

#[test]
fn without_history_the_reason_says_so_and_the_present_is_no_gap() {
    let nothing = Extent { head: at(1, 9), first: 10, kept: false, previous: None };
    let gap = begin(&channel(), at(1, 3), nothing).gap.unwrap();
    assert_eq!((gap.from, gap.to, gap.reason), (4, Some(9), GapReason::NotKept));
    assert_eq!(begin(&channel(), at(1, 9), nothing).gap, None);
}

#[test]
fn in_another_epoch_all_that_is_kept_is_new() {
    let begin = begin(&channel(), at(2, 500), extent(3, 10));
    let gap = begin.gap.unwrap();
    assert_eq!((gap.from, gap.to, gap.reason), (501, None, GapReason::Epoch));
    assert_eq!(begin.position, at(1, 2));
}

#[test]
fn a_position_ahead_of_the_head_starts_at_the_present() {
    let begin = begin(&channel(), at(1, u64::MAX), extent(3, 10));
    assert_eq!(begin.gap.unwrap().reason, GapReason::Ahead);
    assert_eq!(begin.position, at(1, 10));
}
