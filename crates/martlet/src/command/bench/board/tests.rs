use std::time::Duration;

use super::*;

fn message(number: u64) -> Vec<u8> {
    format!(r#"{{"publication":{{"channel":"a","data":"{number:020}xxx"}}}}"#).into_bytes()
}

#[test]
fn latency_counts_from_the_intended_time() {
    let mut board = Board::new(1);
    board.join(0);
    let mut place = Place::new(0);
    let meant = Instant::now();
    board.publish(0, meant);
    board.deliver(&mut place, &message(0), meant + Duration::from_millis(7));
    let counted = board.tally.latency.max();
    assert!((6_990_000..7_010_000).contains(&counted), "{counted}");
    assert_eq!((board.under_way, &board.completed[..]), (0, &[0][..]));
}

#[test]
fn a_publication_is_under_way_until_every_reader_has_it() {
    let mut board = Board::new(2);
    let now = Instant::now();
    let mut places = [Place::new(1), Place::new(1)];
    places.iter().for_each(|place| board.join(place.channel));
    assert_eq!((board.publish(1, now), board.publish(1, now)), (0, 1));
    board.deliver(&mut places[0], &message(0), now);
    board.deliver(&mut places[0], &message(1), now);
    assert_eq!((board.under_way, board.completed.len()), (2, 0));
    board.deliver(&mut places[1], &message(0), now);
    assert_eq!((board.under_way, &board.completed[..]), (1, &[1][..]));
    board.deliver(&mut places[1], &message(1), now);
    assert_eq!((board.under_way, board.tally.deliveries, board.tally.missed), (0, 4, 0));
    assert!(board.wrong.is_none());
}

#[test]
fn what_a_reader_that_lost_its_place_has_not_got_is_missed() {
    let mut board = Board::new(1);
    let now = Instant::now();
    board.join(0);
    let mut place = Place::new(0);
    (0..5).for_each(|number| assert_eq!(board.publish(0, now), number));
    board.deliver(&mut place, &message(0), now);
    place.lose();
    board.deliver(&mut place, &message(3), now);
    board.deliver(&mut place, &message(4), now);
    assert_eq!((board.tally.deliveries, board.tally.missed, board.under_way), (3, 2, 0));
    assert!(board.wrong.is_none());
}

#[test]
fn nobody_waits_for_a_reader_that_left() {
    let mut board = Board::new(1);
    let now = Instant::now();
    let mut stays = Place::new(0);
    (0..2).for_each(|_| board.join(0));
    board.publish(0, now);
    board.deliver(&mut stays, &message(0), now);
    board.leave(&Place::new(0));
    assert_eq!((board.under_way, board.tally.missed), (0, 1));
    board.publish(0, now);
    board.deliver(&mut stays, &message(1), now);
    assert_eq!(board.under_way, 0);
}

#[test]
fn what_comes_after_it_was_given_up_is_nothing_new() {
    let mut board = Board::new(1);
    let now = Instant::now();
    board.join(0);
    let mut place = Place::new(0);
    (0..2).for_each(|number| assert_eq!(board.publish(0, now), number));
    board.give_up();
    place.lose();
    board.deliver(&mut place, &message(0), now);
    board.deliver(&mut place, &message(1), now);
    assert_eq!((board.tally.missed, board.tally.latency.len()), (2, 0));
    assert_eq!(board.publish(0, now), 2);
    board.deliver(&mut place, &message(2), now);
    assert_eq!((board.tally.latency.len(), board.under_way), (1, 0));
    assert!(board.wrong.is_none());
}

#[test]
fn a_count_that_is_wrong_is_noticed() {
    let mut board = Board::new(1);
    let now = Instant::now();
    board.join(0);
    let mut place = Place::new(0);
    for number in 0..SAMPLE {
        board.publish(0, now);
        // One number off: the sampled delivery shows it.
        board.deliver(&mut place, &message(number + 1), now);
    }
    assert_eq!(board.wrong.as_deref(), Some("publication 1000 arrived where 999 was next"));
}

#[test]
fn more_than_was_published_is_noticed() {
    let mut board = Board::new(1);
    board.join(0);
    board.deliver(&mut Place::new(0), &message(0), Instant::now());
    assert!(board.wrong.is_some());
}

#[test]
fn who_comes_back_reaches_the_goal_with_the_last_it_missed() {
    let mut board = Board::new(1);
    board.begin_after(0, 5);
    let begun = Instant::now();
    board.goal = Some(Goal { publications: 5, begun, reached: histogram() });
    let reached = |board: &Board| board.goal.as_ref().unwrap().reached.len();
    let mut place = Place::after(0, 3);
    board.deliver(&mut place, &message(3), begun);
    assert_eq!(reached(&board), 0);
    board.deliver(&mut place, &message(4), begun + Duration::from_millis(9));
    assert_eq!((reached(&board), board.tally.deliveries, &board.wrong), (1, 2, &None));
    // They were under way for others: they are no latency of anybody here.
    assert_eq!(board.tally.latency.len(), 0);
}
