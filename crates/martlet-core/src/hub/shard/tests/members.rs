//! Members of channels: who is told of them, their grace, and what is listed.

use std::time::Duration;

use super::world::*;
use super::*;

fn enter(world: &mut World, channel: &str, client: u64) {
    let member = member(client);
    world.ask(1, Request::Enter { channel: name(channel), member, holder: Holder(client) });
}

fn exit(world: &mut World, channel: &str, client: u64, lost: bool) {
    let (channel, holder) = (name(channel), Holder(client));
    world.ask(1, Request::Exit { channel, client: ClientId::new(client), holder, lost });
}

#[test]
fn those_who_follow_are_told_who_comes_and_goes() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    enter(&mut world, "a", 7);
    enter(&mut world, "a", 7);
    world.publish("a");
    exit(&mut world, "a", 7, false);
    exit(&mut world, "a", 7, false);
    assert_eq!(world.heard(1), "+7 1 -7");
    world.unfollow(1, "a");
    world.assert_forgotten();
}

#[test]
fn a_lost_member_is_missed_only_after_its_grace() {
    let mut world = World::new();
    world.followed(1, "a", Start::Now);
    let grace = Namespace::open().presence_grace;
    enter(&mut world, "a", 7);
    exit(&mut world, "a", 7, true);
    world.pass(grace / 2);
    enter(&mut world, "a", 7);
    world.pass(grace);
    assert_eq!(world.heard(1), "+7", "it came back in time");
    exit(&mut world, "a", 7, true);
    world.unfollow(1, "a");
    assert_eq!(world.shard.stats().channels, 1);
    let at = world.shard.poll_timeout().unwrap();
    assert_eq!(at, world.now.instant.after(grace));
    world.pass(grace - Duration::from_micros(1));
    assert_eq!(world.shard.stats().channels, 1);
    world.pass(Duration::from_micros(1));
    world.assert_forgotten();
    assert_eq!(world.shard.poll_timeout(), None);
}

#[test]
fn a_namespace_may_keep_them_to_itself() {
    let mut world = World::new();
    world.followed(1, "bare:a", Start::Now);
    enter(&mut world, "bare:a", 7);
    exit(&mut world, "bare:a", 7, false);
    assert_eq!(world.heard(1), "");
    let ticket = world.ask(1, Request::Members { channel: name("bare:a"), limit: 9 });
    assert_eq!(world.refused(ticket), Some(Code::PresenceOff));
}

#[test]
fn they_are_listed_up_to_a_limit() {
    let mut world = World::new();
    (0..5).for_each(|client| enter(&mut world, "a", client));
    for (channel, limit, listed, count) in [("a", 3, 3, 5), ("a", 9, 5, 5), ("b", 9, 0, 0)] {
        let ticket = world.ask(1, Request::Members { channel: name(channel), limit });
        let Reply::Members { members, count: all } = &world.replies[&ticket] else {
            panic!("it was refused")
        };
        assert_eq!((members.len(), *all), (listed, count));
    }
}

#[test]
fn a_channel_with_members_and_no_followers_holds_nothing_back() {
    let mut world = World::new();
    enter(&mut world, "a", 7);
    for _ in 0..20 {
        world.publish("a");
    }
    assert_eq!(world.shard.channels[&name("a")].tail.at(), None);
    assert_eq!(world.followed(1, "a", Start::Now).begin.offset, 20);
    assert_eq!(world.heard(1), "", "what was before is not delivered");
}

#[test]
fn where_the_last_follower_was_says_nothing_of_where_the_next_begins() {
    let mut world = World::new();
    enter(&mut world, "a", 7);
    world.followed(1, "a", Start::Now);
    world.unfollow(1, "a");
    world.publish_elsewhere("a");
    assert_eq!(world.followed(1, "a", Start::Now).begin.offset, 1);
}

#[test]
fn channels_are_listed_by_name_with_what_is_in_them() {
    let mut world = World::new();
    for channel in ["b", "a2", "a1"] {
        world.followed(1, channel, Start::Now);
    }
    world.followed(2, "a1", Start::Now);
    enter(&mut world, "a2", 7);
    let mut list = |prefix: &str, limit| {
        let ticket = world.ask(1, Request::Channels { prefix: prefix.into(), limit });
        let Some(Reply::Channels(channels)) = world.replies.remove(&ticket) else {
            panic!("it was refused")
        };
        let words = channels
            .iter()
            .map(|state| format!("{} {} {}", state.channel, state.subscribers, state.members));
        words.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(list("", 9), "a1 2 0, a2 1 1, b 1 0");
    assert_eq!(list("a", 9), "a1 2 0, a2 1 1");
    assert_eq!(list("a", 1), "a1 2 0");
    assert_eq!(list("z", 9), "");
}
