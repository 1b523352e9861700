//! Tests of the tail alone: what it passes on, and when it asks the store.

use super::*;
use crate::model::{ChannelName, Data, Epoch, PublicationId, UnixMillis};

fn at(epoch: u64, offset: Offset) -> Position {
    Position { epoch: Epoch::new(epoch), offset }
}

fn publication(epoch: u64, offset: Offset) -> Arc<Publication> {
    Arc::new(Publication {
        channel: ChannelName::parse("a").unwrap(),
        id: PublicationId::new(UnixMillis(0), offset.into()),
        position: at(epoch, offset),
        time: UnixMillis(0),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        data: Data::Json("1".into()),
    })
}

/// A page of `range` out of a history that begins at `first`; one without history keeps nothing.
fn page(epoch: u64, first: Offset, head: Offset, range: std::ops::Range<Offset>) -> Page {
    let kept = first <= head || head == 0;
    let extent = Extent { head: at(epoch, head), first, kept, previous: None };
    let publications = range.map(|offset| publication(epoch, offset)).collect();
    Page { extent, before: 0, publications }
}

/// A tail that stands at `offset` of epoch 1.
fn tail(offset: Offset) -> Tail {
    let mut tail = Tail::default();
    assert_eq!(tail.handle_head(&page(1, 1, offset, 0..0), &mut Vec::new()), Want::Nothing);
    tail
}

/// What was passed on: offsets, and jumps in brackets.
fn words(steps: &[Step]) -> String {
    let word = |step: &Step| match step {
        Step::Pass(publication) => publication.position.offset.to_string(),
        Step::Jump(to) => format!("[{}]", to.offset),
        Step::Renewed(to) => format!("({})", to.offset),
    };
    steps.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn hear(tail: &mut Tail, epoch: u64, offset: Offset) -> (String, Want) {
    let mut steps = Vec::new();
    let want = tail.handle_publication(publication(epoch, offset), &mut steps);
    (words(&steps), want)
}

fn read(tail: &mut Tail, page: Page) -> (String, Want) {
    let mut steps = Vec::new();
    let want = tail.handle_page(page, &mut steps);
    (words(&steps), want)
}

#[test]
fn doubt_is_settled_by_the_store() {
    let mut tail = tail(5);
    assert_eq!(tail.handle_doubt(), Want::Read(5));
    assert_eq!(tail.handle_doubt(), Want::Nothing, "the answer may have been on its way already");
    assert_eq!(read(&mut tail, page(1, 1, 7, 6..8)), ("6 7".into(), Want::Read(7)));
    assert_eq!(read(&mut tail, page(1, 1, 7, 0..0)), nothing());
}

#[test]
fn doubt_before_the_beginning_is_not_forgotten() {
    let mut tail = Tail::default();
    assert_eq!(tail.handle_doubt(), Want::Nothing);
    assert_eq!(tail.handle_head(&page(1, 1, 5, 0..0), &mut Vec::new()), Want::Read(5));
    assert_eq!(read(&mut tail, page(1, 1, 6, 6..7)), ("6".into(), Want::Nothing));
}

#[test]
fn a_history_that_lost_its_tail_goes_on_where_both_are_one() {
    let went_on = |offset, first, head, range| {
        let mut page = page(2, first, head, range);
        page.extent.previous = Some(at(1, 7));
        let mut tail = tail(offset);
        assert_eq!(hear(&mut tail, 2, head).1, Want::Read(offset));
        read(&mut tail, page)
    };
    // It had one that is lost; it has not seen two that are left; what it had is gone by age.
    assert_eq!(went_on(8, 1, 8, 0..0), ("(7)".into(), Want::Read(7)));
    assert_eq!(went_on(5, 1, 8, 0..0), ("(5)".into(), Want::Read(5)));
    assert_eq!(went_on(3, 7, 8, 0..0), ("(6)".into(), Want::Read(6)));
}

fn nothing() -> (String, Want) {
    (String::new(), Want::Nothing)
}

#[test]
fn what_comes_in_order_is_passed_on_and_nothing_twice() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 1, 6), ("6".into(), Want::Nothing));
    assert_eq!(hear(&mut tail, 1, 6), nothing());
    assert_eq!(hear(&mut tail, 1, 2), nothing());
    assert_eq!(hear(&mut tail, 1, 7), ("7".into(), Want::Nothing));
}

#[test]
fn a_hole_is_read_once_and_filled() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 1, 8), (String::new(), Want::Read(5)));
    assert_eq!(hear(&mut tail, 1, 9), nothing(), "the read is under way");
    assert_eq!(hear(&mut tail, 1, 6), nothing(), "the read will bring it");
    assert_eq!(read(&mut tail, page(1, 1, 8, 6..9)), ("6 7 8 9".into(), Want::Nothing));
}

#[test]
fn a_page_that_is_not_enough_is_followed_by_another() {
    let mut tail = tail(0);
    assert_eq!(hear(&mut tail, 1, 5), (String::new(), Want::Read(0)));
    assert_eq!(read(&mut tail, page(1, 1, 5, 1..3)), ("1 2".into(), Want::Read(2)));
    assert_eq!(read(&mut tail, page(1, 1, 5, 3..6)), ("3 4 5".into(), Want::Nothing));
}

#[test]
fn what_left_the_history_is_jumped_over_and_what_is_held_is_not() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 1, 7), (String::new(), Want::Read(5)));
    assert_eq!(
        read(&mut tail, page(1, 9, 10, 9..11)),
        ("[6] 7 [8] 9 10".into(), Want::Nothing),
        "7 was here already"
    );
}

#[test]
fn what_is_kept_and_has_expired_is_not_waited_for() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 1, 8), (String::new(), Want::Read(5)));
    let mut expired = page(1, 9, 8, 0..0);
    expired.extent.kept = true;
    assert_eq!(read(&mut tail, expired), ("[7] 8".into(), Want::Nothing));
}

#[test]
fn a_late_one_is_waited_for_where_nothing_is_kept() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 1, 7), (String::new(), Want::Read(5)));
    assert_eq!(read(&mut tail, page(1, 8, 7, 0..0)), (String::new(), Want::Later(PATIENCE)));
    assert_eq!(hear(&mut tail, 1, 8), nothing(), "it goes on waiting");
    assert_eq!(hear(&mut tail, 1, 6), ("6 7 8".into(), Want::Nothing));
    assert_eq!(tail.handle_timeout(), Want::Read(8));
    assert_eq!(read(&mut tail, page(1, 9, 8, 0..0)), nothing());
}

#[test]
fn one_that_does_not_come_is_jumped_over() {
    let mut tail = tail(5);
    hear(&mut tail, 1, 7);
    hear(&mut tail, 1, 9);
    read(&mut tail, page(1, 10, 9, 0..0));
    assert_eq!(tail.handle_timeout(), Want::Read(5));
    assert_eq!(tail.handle_timeout(), Want::Nothing, "the read is under way");
    assert_eq!(read(&mut tail, page(1, 10, 9, 0..0)), ("[6] 7".into(), Want::Read(7)));
    assert_eq!(read(&mut tail, page(1, 10, 9, 0..0)), (String::new(), Want::Later(PATIENCE)));
}

#[test]
fn after_a_failure_nothing_held_is_forgotten_and_time_brings_another_try() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 1, 7), (String::new(), Want::Read(5)));
    assert_eq!(tail.handle_failure(), Want::Later(RETRY));
    assert_eq!(hear(&mut tail, 1, 8), nothing(), "a store that fails is not asked each time");
    assert_eq!(hear(&mut tail, 1, 6), ("6 7 8".into(), Want::Nothing));
    assert_eq!(tail.handle_timeout(), Want::Read(8));
    assert_eq!(read(&mut tail, page(1, 1, 8, 0..0)), nothing());
    assert_eq!(tail.handle_timeout(), Want::Nothing);
}

#[test]
fn a_store_that_has_yet_to_hear_of_it_is_asked_later() {
    let mut tail = tail(5);
    tail.handle_head(&page(1, 1, 8, 0..0), &mut Vec::new());
    assert_eq!(read(&mut tail, page(1, 1, 8, 0..0)), (String::new(), Want::Later(RETRY)));
}

#[test]
fn a_new_history_begins_with_its_first_publication() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 2, 3), (String::new(), Want::Read(5)));
    assert_eq!(read(&mut tail, page(2, 2, 3, 0..0)), ("[1]".into(), Want::Read(1)));
    assert_eq!(read(&mut tail, page(2, 2, 3, 2..4)), ("2 3".into(), Want::Nothing));
}

#[test]
fn a_new_history_that_is_not_kept_begins_with_what_is_here() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 2, 3), (String::new(), Want::Read(5)));
    assert_eq!(read(&mut tail, page(2, 4, 3, 0..0)), ("[2]".into(), Want::Read(2)));
    assert_eq!(read(&mut tail, page(2, 4, 3, 0..0)), ("3".into(), Want::Nothing));
}

#[test]
fn stragglers_of_an_old_history_are_let_go_after_one_look() {
    let mut tail = tail(5);
    assert_eq!(hear(&mut tail, 9, 3), (String::new(), Want::Read(5)));
    assert_eq!(hear(&mut tail, 9, 4), nothing());
    assert_eq!(hear(&mut tail, 9, 5), nothing());
    assert_eq!(
        read(&mut tail, page(1, 1, 5, 0..0)),
        (String::new(), Want::Read(5)),
        "those that came since the store was asked may be newer than its answer"
    );
    assert_eq!(read(&mut tail, page(1, 1, 5, 0..0)), nothing());
    assert_eq!(hear(&mut tail, 1, 6), ("6".into(), Want::Nothing));
    assert!(tail.held.is_empty());
}

#[test]
fn news_of_a_new_history_outlives_a_failure() {
    let mut tail = tail(5);
    hear(&mut tail, 2, 1);
    tail.handle_failure();
    assert_eq!(hear(&mut tail, 1, 6), ("6".into(), Want::Nothing));
    assert_eq!(tail.handle_timeout(), Want::Read(6));
    assert_eq!(read(&mut tail, page(2, 1, 1, 0..0)), ("[0]".into(), Want::Read(0)));
}

#[test]
fn what_came_before_the_beginning_was_known_is_sorted_out_then() {
    let mut tail = Tail::default();
    for offset in [7, 5, 6] {
        assert_eq!(hear(&mut tail, 1, offset), nothing());
    }
    let mut steps = Vec::new();
    assert_eq!(tail.handle_head(&page(1, 1, 5, 0..0), &mut steps), Want::Nothing);
    assert_eq!(words(&steps), "6 7");
}

#[test]
fn no_more_is_held_than_the_limit_and_the_store_makes_it_good() {
    let mut tail = tail(0);
    let count = 3 * HELD_MAX as u64;
    for offset in 2..=count {
        hear(&mut tail, 1, offset);
        assert!(tail.held.len() <= HELD_MAX);
    }
    let (passed, want) = read(&mut tail, page(1, 1, count, 1..count + 1));
    assert_eq!(passed.split(' ').count() as u64, count);
    assert_eq!((want, tail.held.len()), (Want::Nothing, 0));
}
