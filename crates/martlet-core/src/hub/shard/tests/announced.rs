//! Publications of other nodes: announcements in order, twice, turned round, lost; and stores
//! that fail or lose their history.

use std::time::Duration;

use super::world::*;
use super::*;
use crate::model::UnixMillis;

const LATER: Duration = Duration::from_secs(2);

/// A shard whose lane 1 follows `channel`, and five publications of another node.
fn five(channel: &str) -> (World, Vec<Arc<Publication>>) {
    let mut world = World::new();
    world.followed(1, channel, Start::Now);
    let publications = (0..5).map(|_| world.publish_elsewhere(channel)).collect();
    (world, publications)
}

#[test]
fn in_order_and_twice() {
    let (mut world, five) = five("a");
    for publication in &five {
        world.announce(publication);
        world.announce(publication);
        world.announce(&five[0]);
    }
    assert_eq!(world.heard(1), "1 2 3 4 5");
    assert!(world.asked.is_empty());
}

#[test]
fn turned_round() {
    for channel in ["a", "none:a"] {
        let (mut world, five) = five(channel);
        for index in [1, 0, 4, 3, 2] {
            world.announce(&five[index]);
            world.run();
        }
        world.pass(LATER);
        world.run();
        assert_eq!(world.heard(1), "1 2 3 4 5", "{channel}");
    }
}

#[test]
fn lost_ones_are_read_from_the_store_once_for_all_lanes() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    world.followed(2, "a", Start::Now);
    let five: Vec<_> = (0..5).map(|_| world.publish_elsewhere("a")).collect();
    world.announce(&five[3]);
    world.announce(&five[4]);
    assert_eq!(world.asked.len(), 1);
    world.run();
    assert_eq!((world.heard(1), world.heard(2)), ("1 2 3 4 5".into(), "1 2 3 4 5".into()));
}

#[test]
fn lost_ones_that_nobody_keeps_are_jumped_over() {
    let (mut world, five) = five("none:a");
    world.announce(&five[0]);
    world.announce(&five[3]);
    world.announce(&five[4]);
    world.run();
    assert_eq!(world.heard(1), "1", "the others may be late");
    assert!(world.shard.poll_timeout().is_some());
    world.pass(LATER);
    world.run();
    assert_eq!(world.heard(1), "[3] 4 5");
    assert_eq!(world.shard.stats().jumps, 1);
    world.announce(&five[2]);
    assert_eq!(world.heard(1), "", "too late");
}

#[test]
fn a_question_tells_that_something_was_lost() {
    let (mut world, _) = five("a");
    let ticket = world.ask(1, Request::Load { channel: name("a"), after: 0, limit: 3 });
    world.run();
    assert!(matches!(world.replies[&ticket], Reply::Loaded(_)));
    assert_eq!(world.heard(1), "1 2 3 4 5");
}

#[test]
fn a_long_hole_is_read_page_by_page() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    let mut last = world.publish_elsewhere("a");
    for _ in 0..2 * reading::CATCH_UP_PAGE {
        last = world.publish_elsewhere("a");
    }
    world.announce(&last);
    world.run();
    let expected: Vec<_> = (last.position.offset - 99..=last.position.offset)
        .map(|offset| offset.to_string())
        .collect();
    let jump = last.position.offset - 100;
    assert_eq!(world.heard(1), format!("[{jump}] {}", expected.join(" ")), "a hundred are kept");
}

#[test]
fn a_new_history_is_followed_from_its_beginning() {
    let (mut world, five) = five("a");
    five.iter().for_each(|publication| world.announce(publication));
    world.store.lose(&name("a"), 2);
    let new = world.publish_elsewhere("a");
    world.announce(&new);
    world.run();
    assert_eq!(world.heard(1), "1 2 3 4 5 [0] 1 2 3");
    world.announce(&five[4]);
    world.run();
    let next = world.publish("a");
    assert_eq!((next.position.offset, world.heard(1)), (4, "4".into()), "stragglers are let go");
}

#[test]
fn a_store_that_fails_is_asked_again_after_a_while() {
    let (mut world, five) = five("a");
    world.announce(&five[2]);
    for _ in 0..3 {
        world.fail(StoreError::Unavailable);
        world.announce(&five[3]);
        assert!(world.asked.is_empty(), "not at once");
        world.pass(LATER);
        assert_eq!(world.asked.len(), 1);
    }
    world.run();
    assert_eq!(world.heard(1), "1 2 3 4 5");
    assert_eq!(world.shard.poll_timeout(), None);
}

#[test]
fn a_follower_of_a_new_history_does_not_wait_for_the_next_try() {
    let (mut world, five) = five("a");
    world.announce(&five[2]);
    world.fail(StoreError::Unavailable);
    world.store.lose(&name("a"), 1);
    let followed = world.followed(2, "a", Start::Since(UnixMillis(0)));
    assert_eq!((followed.begin, followed.head), (world.at("a", 0), world.at("a", 0)));
    assert_eq!((world.heard(1), world.heard(2)), ("[0] 1".into(), "1".into()));
}

#[test]
fn what_nobody_follows_is_passed_over() {
    let (mut world, five) = five("a");
    world.unfollow(1, "a");
    world.announce(&five[4]);
    assert!(world.asked.is_empty());
    world.assert_forgotten();
}

#[test]
fn a_retry_for_a_channel_that_was_left_is_none() {
    let (mut world, five) = five("a");
    world.announce(&five[2]);
    world.fail(StoreError::Unavailable);
    world.unfollow(1, "a");
    world.pass(LATER);
    assert!(world.asked.is_empty());
    world.assert_forgotten();
}

#[test]
fn one_may_follow_while_the_tail_catches_up() {
    let (mut world, five) = five("a");
    world.announce(&five[2]);
    let now = world.follow(2, "a", Start::Now);
    let Reply::Followed(followed) = &world.replies[&now] else { panic!("it was refused") };
    assert_eq!(followed.begin.offset, 0, "that is where this node is");
    let seen = Start::After(world.at("a", 4));
    let ahead = world.followed(3, "a", seen);
    assert_eq!((ahead.begin.offset, ahead.gap), (4, None));
    let missing: Vec<_> = (ahead.head.offset + 1..=5).map(|o| o.to_string()).collect();
    assert_eq!(world.heard(3), missing.join(" "), "a lane gets all after the head it was told");
    assert_eq!((world.heard(1), world.heard(2)), ("1 2 3 4 5".into(), "1 2 3 4 5".into()));
}
