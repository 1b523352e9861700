//! Promises about members: who is in a channel, on whatever node, and who is told of it.

use martlet_core::model::{ChannelName, ClientId};
use martlet_core::port::{News, StoreReply, StoreRequest};
use martlet_core::presence::{Member, Moved};

use super::stage::{Stage, member};
use super::{Case, promises};

pub(super) fn all() -> Vec<Case> {
    let one = promises![1;
        members_come_back_as_they_entered,
        members_are_counted_beyond_the_limit,
        who_enters_twice_is_there_once,
        whoever_leaves_is_there_no_more_and_may_come_back,
    ];
    let two = promises![2;
        coming_and_going_is_told_once,
        a_client_that_moves_neither_joins_nor_leaves,
    ];
    one.into_iter().chain(two).collect()
}

fn enter(stage: &mut Stage<'_>, node: usize, channel: &ChannelName, member: Member) {
    let request = StoreRequest::Enter { channel: channel.clone(), member };
    assert_eq!(stage.ask(node, request), StoreReply::Done);
}

fn exit(stage: &mut Stage<'_>, node: usize, channel: &ChannelName, client: u64) {
    let client = ClientId::new(client);
    let request = StoreRequest::Exit { channel: channel.clone(), client };
    assert_eq!(stage.ask(node, request), StoreReply::Done);
}

fn members(
    stage: &mut Stage<'_>,
    node: usize,
    channel: &ChannelName,
    limit: usize,
) -> (Vec<Member>, usize) {
    match stage.ask(node, StoreRequest::Members { channel: channel.clone(), limit }) {
        StoreReply::Members { mut members, count } => {
            members.sort_by_key(|member| member.client);
            (members, count)
        }
        other => panic!("asked for members, got {other:?}"),
    }
}

/// What a node was told of members of a channel.
fn moves(stage: &Stage<'_>, node: usize, channel: &ChannelName) -> Vec<Moved> {
    let moves = stage.news(node).iter().filter_map(|news| match news {
        News::Moved(of, moved) if of == channel => Some(moved.clone()),
        _ => None,
    });
    moves.collect()
}

fn members_come_back_as_they_entered(stage: &mut Stage<'_>) {
    let (a, b) = (stage.channel("a"), stage.channel("b.*"));
    let user = martlet_core::model::UserId::parse("eva *");
    let with_user = Member { user, info: None, ..member(u64::MAX) };
    enter(stage, 0, &a, member(1));
    enter(stage, 0, &a, with_user.clone());
    enter(stage, 0, &b, member(3));
    assert_eq!(members(stage, 0, &a, 10), (vec![member(1), with_user], 2));
    assert_eq!(members(stage, 0, &b, 10), (vec![member(3)], 1));
    let nobody = stage.channel("nobody");
    assert_eq!(members(stage, 0, &nobody, 10), (Vec::new(), 0));
}

fn members_are_counted_beyond_the_limit(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    (0..30).for_each(|client| enter(stage, 0, &channel, member(client)));
    let (some, count) = members(stage, 0, &channel, 7);
    assert_eq!((some.len(), count), (7, 30));
    assert_eq!(members(stage, 0, &channel, 0), (Vec::new(), 30));
}

fn who_enters_twice_is_there_once(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    stage.follow(0, &channel);
    enter(stage, 0, &channel, member(1));
    let changed = Member { info: None, ..member(1) };
    enter(stage, 0, &channel, changed.clone());
    assert_eq!(members(stage, 0, &channel, 10), (vec![changed], 1));
    enter(stage, 0, &channel, member(2));
    stage.until("the second was told", |stage| {
        moves(stage, 0, &channel).contains(&Moved::Join(member(2))).then_some(())
    });
    let joins = [Moved::Join(member(1)), Moved::Join(member(2))];
    assert_eq!(moves(stage, 0, &channel), joins);
}

fn whoever_leaves_is_there_no_more_and_may_come_back(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    for _ in 0..3 {
        enter(stage, 0, &channel, member(1));
        enter(stage, 0, &channel, member(2));
        assert_eq!(members(stage, 0, &channel, 10).1, 2);
        exit(stage, 0, &channel, 1);
        assert_eq!(members(stage, 0, &channel, 10), (vec![member(2)], 1));
        exit(stage, 0, &channel, 1);
        exit(stage, 0, &channel, 2);
        assert_eq!(members(stage, 0, &channel, 10), (Vec::new(), 0));
    }
}

fn coming_and_going_is_told_once(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    stage.follow(1, &channel);
    let mut told = Vec::new();
    for round in 1..=3 {
        enter(stage, 0, &channel, member(round));
        exit(stage, 0, &channel, round);
        told.extend([Moved::Join(member(round)), Moved::Leave(member(round))]);
    }
    stage.until("all was told", |stage| {
        (moves(stage, 1, &channel).len() >= told.len()).then_some(())
    });
    assert_eq!(moves(stage, 1, &channel), told);
}

fn a_client_that_moves_neither_joins_nor_leaves(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    stage.follow(0, &channel);
    enter(stage, 0, &channel, member(1));
    enter(stage, 1, &channel, member(1));
    exit(stage, 0, &channel, 1);
    assert_eq!(
        members(stage, 0, &channel, 10),
        (vec![member(1)], 1),
        "the old node's exit is late"
    );
    exit(stage, 1, &channel, 1);
    assert_eq!(members(stage, 0, &channel, 10), (Vec::new(), 0));
    stage.until("the leave was told", |stage| {
        moves(stage, 0, &channel).contains(&Moved::Leave(member(1))).then_some(())
    });
    assert_eq!(moves(stage, 0, &channel), [Moved::Join(member(1)), Moved::Leave(member(1))]);
}
