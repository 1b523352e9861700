//! Where followers begin, and that nothing is left when they have gone.

use super::world::*;
use super::*;
use crate::model::{Data, Draft, Epoch, GapReason, UnixMillis};

fn filled(channel: &str, count: usize) -> World {
    let mut world = World::new();
    (0..count).for_each(|_| drop(world.publish_elsewhere(channel)));
    world
}

#[test]
fn the_present_is_where_the_store_is() {
    let mut world = filled("a", 3);
    let followed = world.followed(1, "a", Start::Now);
    assert_eq!((followed.begin, followed.head), (world.at("a", 3), world.at("a", 3)));
    assert!(!followed.recovered && followed.gap.is_none());
    world.publish("a");
    assert_eq!(world.heard(1), "4");
}

#[test]
fn a_followed_channel_needs_no_store_to_be_followed_from_now() {
    let mut world = filled("a", 3);
    world.followed(1, "a", Start::Now);
    let ticket = world.follow(2, "a", Start::Now);
    assert!(world.asked.is_empty());
    assert!(matches!(world.replies[&ticket], Reply::Followed(_)));
    world.publish("a");
    assert_eq!((world.heard(1), world.heard(2)), ("4".into(), "4".into()));
}

#[test]
fn who_comes_back_and_has_everything_needs_no_store() {
    for channel in ["a", "none:a"] {
        let mut world = filled(channel, 3);
        let seen = world.followed(1, channel, Start::Now).head;
        let ticket = world.follow(2, channel, Start::After(seen));
        assert!(world.asked.is_empty(), "{:?}", world.asked);
        let Reply::Followed(followed) = &world.replies[&ticket] else { panic!("it was refused") };
        assert_eq!((followed.begin, followed.head, &followed.gap), (seen, seen, &None));
        assert!(followed.recovered);
        world.publish(channel);
        assert_eq!((world.heard(1), world.heard(2)), ("4".into(), "4".into()));
    }
}

#[test]
fn an_empty_channel_has_a_position_too() {
    let followed = World::new().followed(1, "a", Start::Now);
    assert_eq!((followed.begin.offset, followed.head.offset), (0, 0));
}

#[test]
fn after_a_position_all_that_is_kept_is_recovered() {
    let mut world = filled("a", 5);
    for (seen, recovered) in [(0, true), (3, true), (5, true)] {
        let seen = world.at("a", seen);
        let followed = world.followed(1, "a", Start::After(seen));
        assert_eq!((followed.begin, followed.recovered), (seen, recovered));
        assert_eq!(followed.head, world.at("a", 5));
    }
}

#[test]
fn what_is_not_kept_is_named() {
    let mut world = filled("few:a", 5);
    let seen = world.at("few:a", 1);
    let followed = world.followed(1, "few:a", Start::After(seen));
    let gap = followed.gap.unwrap();
    assert_eq!((gap.from, gap.to, gap.reason), (2, Some(3), GapReason::Expired));
    assert_eq!((followed.begin.offset, followed.recovered), (3, false));
    let ahead = world.at("few:a", 9);
    let followed = world.followed(1, "few:a", Start::After(ahead));
    assert_eq!(followed.gap.unwrap().reason, GapReason::Ahead);
    assert_eq!(followed.begin.offset, 5);
    let foreign = Position { epoch: Epoch::new(99), offset: 5 };
    let followed = world.followed(1, "few:a", Start::After(foreign));
    assert_eq!(followed.gap.unwrap().reason, GapReason::Epoch);
    assert_eq!(followed.begin.offset, 3, "all that is kept is new to it");
}

#[test]
fn since_a_time_begins_before_the_first_of_that_time() {
    let mut world = World::new();
    for _ in 0..4 {
        world.publish_elsewhere("a");
        world.pass(std::time::Duration::from_secs(1));
    }
    let begin =
        |world: &mut World, ms| world.followed(1, "a", Start::Since(UnixMillis(ms))).begin.offset;
    assert_eq!(begin(&mut world, 0), 0);
    assert_eq!(begin(&mut world, 2_000), 1);
    assert_eq!(begin(&mut world, 2_001), 2);
    assert_eq!(begin(&mut world, 9_000), 4);
}

#[test]
fn with_recovery_off_everybody_begins_now_and_is_told_what_it_missed() {
    let mut world = filled("off:a", 5);
    let seen = world.at("off:a", 2);
    let followed = world.followed(1, "off:a", Start::After(seen));
    let gap = followed.gap.unwrap();
    assert_eq!((gap.from, gap.to, gap.reason), (3, Some(5), GapReason::NotKept));
    assert_eq!(followed.begin.offset, 5);
    assert_eq!(world.followed(1, "off:a", Start::Since(UnixMillis(0))).begin.offset, 5);
    let head = world.at("off:a", 5);
    assert!(world.followed(1, "off:a", Start::After(head)).recovered);
}

#[test]
fn what_is_unknown_or_too_much_is_refused() {
    let mut world = World::new();
    let unknown = world.follow(1, "nobody:a", Start::Now);
    assert_eq!(world.refused(unknown), Some(Code::NamespaceUnknown));
    let unknown = world.ask(1, Request::Publish(draft("nobody:a")));
    assert_eq!(world.refused(unknown), Some(Code::NamespaceUnknown));
    for i in 0..NODE_CHANNELS {
        world.followed(1, &format!("c{i}"), Start::Now);
    }
    let full = world.follow(1, "one-more", Start::Now);
    assert_eq!(world.refused(full), Some(Code::NodeFull));
    assert_eq!(world.shard.stats().refused, 3);
    world.followed(2, "c0", Start::Now);
}

#[test]
fn a_store_that_fails_is_told_and_the_channel_forgotten() {
    for (error, code) in
        [(StoreError::Unavailable, Code::EngineUnavailable), (StoreError::Full, Code::NodeFull)]
    {
        let mut world = World::new();
        let ticket = world.follow(1, "a", Start::Now);
        world.fail(error);
        assert_eq!(world.refused(ticket), Some(code));
        world.assert_forgotten();
    }
}

#[test]
fn a_lane_is_delivered_to_until_its_last_follower_has_gone() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    world.followed(1, "a", Start::Now);
    world.followed(2, "a", Start::Now);
    world.unfollow(1, "a");
    world.publish("a");
    assert_eq!((world.heard(1), world.heard(2)), ("1".into(), "1".into()));
    world.unfollow(1, "a");
    world.unfollow(1, "a");
    world.publish("a");
    assert_eq!((world.heard(1), world.heard(2)), (String::new(), "2".into()));
    world.unfollow(2, "a");
    world.unfollow(2, "never-followed");
    world.assert_forgotten();
}

#[test]
fn a_publication_between_the_stores_answer_and_its_arrival_is_not_lost() {
    let mut world = filled("a", 3);
    let ticket = world.follow(1, "a", Start::Now);
    world.serve(0);
    let publish = world.ask(1, Request::Publish(draft("a")));
    world.serve(0);
    world.answer(1);
    assert!(matches!(world.replies[&publish], Reply::Published(_)));
    world.answer(0);
    let Reply::Followed(followed) = &world.replies[&ticket] else { panic!("it was refused") };
    assert_eq!(followed.begin.offset, 4, "it was published before it was followed");
    assert_eq!(world.heard(1), "");
}

#[test]
fn a_publish_from_before_a_follow_does_not_end_it() {
    let mut world = World::new();
    world.ask(1, Request::Publish(draft("a")));
    let ticket = world.follow(1, "a", Start::Now);
    world.run();
    assert!(matches!(world.replies[&ticket], Reply::Followed(_)), "{:?}", world.replies[&ticket]);
    world.unfollow(1, "a");
    world.assert_forgotten();
}

#[test]
fn the_last_follower_may_go_while_the_next_is_coming() {
    let mut world = filled("a", 5);
    world.followed(1, "a", Start::Now);
    let seen = world.at("a", 4);
    let ticket = world.follow(2, "a", Start::After(seen));
    world.serve(0);
    let sixth = world.publish_elsewhere("a");
    world.announce(&sixth);
    world.unfollow(1, "a");
    world.answer(0);
    let Reply::Followed(followed) = &world.replies[&ticket] else { panic!("it was refused") };
    assert_eq!((followed.begin.offset, followed.head.offset), (4, 6));
    assert!(followed.recovered);
}

#[test]
fn a_position_that_this_node_has_reached_is_not_ahead_of_an_older_answer() {
    let mut world = filled("a", 5);
    world.followed(1, "a", Start::Now);
    let seen = world.at("a", 6);
    let ticket = world.follow(2, "a", Start::After(seen));
    world.serve(0);
    let sixth = world.publish_elsewhere("a");
    world.announce(&sixth);
    world.answer(0);
    let Reply::Followed(followed) = &world.replies[&ticket] else { panic!("it was refused") };
    assert_eq!((followed.begin.offset, &followed.gap), (6, &None));
}

#[test]
fn one_that_follows_across_a_new_history_keeps_its_beginning() {
    let mut world = filled("a", 5);
    world.followed(1, "a", Start::Now);
    world.store.lose(&name("a"), 4);
    world.pass(std::time::Duration::from_secs(10));
    let late = world.publish_elsewhere("a");
    let followed = world.followed(2, "a", Start::Since(UnixMillis(5_000)));
    assert_eq!(followed.begin, Position { offset: 4, ..late.position });
    assert_eq!(world.heard(1), "[0] 1 2 3 4 5");
}

#[test]
fn history_is_read_both_ways_and_by_time() {
    let mut world = World::new();
    for _ in 0..6 {
        world.publish_elsewhere("a");
        world.pass(std::time::Duration::from_secs(1));
    }
    let (two, four) = (Start::After(world.at("a", 2)), Start::After(world.at("a", 4)));
    let foreign = Start::After(Position { epoch: Epoch::new(99), offset: 4 });
    let far = Start::After(Position { offset: u64::MAX, ..world.at("a", 0) });
    let since = Start::Since(UnixMillis(4_000));
    let cases = [
        (None, 3, false, vec![1, 2, 3], true),
        (None, 6, false, vec![1, 2, 3, 4, 5, 6], false),
        (None, 2, true, vec![6, 5], true),
        (Some(two), 9, false, vec![3, 4, 5, 6], false),
        (Some(four), 2, true, vec![3, 2], true),
        (Some(four), 3, true, vec![3, 2, 1], false),
        (Some(since), 2, false, vec![4, 5], true),
        (Some(since), 9, true, vec![6, 5, 4], false),
        (Some(since), 4, true, vec![6, 5, 4], false),
        (Some(since), 2, true, vec![6, 5], true),
        (Some(foreign), 2, false, vec![1, 2], true),
        (Some(foreign), 2, true, vec![6, 5], true),
        (Some(far), 2, false, vec![], false),
        (Some(far), 2, true, vec![6, 5], true),
        (None, 0, false, vec![], false),
    ];
    for (start, limit, reverse, expected, more) in cases {
        let read = Request::Read { channel: name("a"), start, limit, reverse };
        let ticket = world.ask(1, read);
        world.run();
        let Some(Reply::History(page)) = world.replies.remove(&ticket) else { panic!("no page") };
        let offsets: Vec<_> = page.publications.iter().map(|p| p.position.offset).collect();
        assert_eq!((offsets, page.more), (expected, more), "{start:?} {limit} {reverse}");
        assert_eq!(page.head, world.at("a", 6));
    }
    world.assert_forgotten();
}

#[test]
fn a_page_for_readers_behind_is_read_as_it_is() {
    let mut world = filled("a", 5);
    let ticket = world.ask(1, Request::Load { channel: name("a"), after: 2, limit: 2 });
    world.run();
    let Some(Reply::Loaded(page)) = world.replies.remove(&ticket) else { panic!("no page") };
    assert_eq!((page.before, page.publications.len(), page.extent.head.offset), (2, 2, 5));
}

#[test]
fn a_page_fits_an_answer_and_says_that_there_is_more() {
    let mut world = World::new();
    let long = Data::Json(vec![b'1'; 100 * 1024].into());
    for _ in 0..5 {
        world.ask(1, Request::Publish(Draft { data: long.clone(), ..draft("a") }));
        world.run();
    }
    let mut read = |start, reverse| {
        let channel = name("a");
        let ticket = world.ask(1, Request::Read { channel, start, limit: 50, reverse });
        world.run();
        let Reply::History(page) = world.replies[&ticket].clone() else { panic!("refused") };
        let offset = |publication: &Arc<Publication>| publication.position.offset;
        (page.publications.iter().map(offset).collect::<Vec<_>>(), page.more, page.head.epoch)
    };
    let (first, more, epoch) = read(None, false);
    assert_eq!((first, more), (vec![1, 2], true));
    let mut read = |after, reverse| {
        let (offsets, more, _) =
            read(Some(Start::After(Position { epoch, offset: after })), reverse);
        (offsets, more)
    };
    assert_eq!([read(2, false), read(4, false)], [(vec![3, 4], true), (vec![5], false)]);
    assert_eq!([read(6, true), read(2, true)], [(vec![5, 4], true), (vec![1], false)]);
}
