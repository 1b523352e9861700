//! Promises about news: what who follows a channel hears, and how that joins with what is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_core::model::{ChannelName, Offset, Publication};
use martlet_core::port::{Range, StoreRequest};

use super::stage::{KEEP, Stage, appended, draft, offsets};
use super::{Case, promises};

pub(super) fn all() -> Vec<Case> {
    let cases = promises![2;
        a_follower_hears_what_other_nodes_publish,
        following_and_reading_join_without_a_hole,
        whoever_follows_again_hears_again,
        many_channels_followed_at_once_are_all_heard,
        all_followers_see_one_order,
    ];
    cases.into_iter().collect()
}

/// What a node knows of a channel from a page and from news, by offset: each told may repeat.
fn known(
    stage: &Stage<'_>,
    node: usize,
    channel: &ChannelName,
    read: &[Arc<Publication>],
) -> BTreeMap<Offset, Arc<Publication>> {
    let heard = stage.heard(node, channel);
    heard.iter().chain(read).map(|p| (p.position.offset, Arc::clone(p))).collect()
}

fn a_follower_hears_what_other_nodes_publish(stage: &mut Stage<'_>) {
    let (channel, other) = (stage.channel("a"), stage.channel("b"));
    let begin = stage.follow(1, &channel).extent.head;
    stage.publish(0, &other, 0);
    let made: Vec<_> = (0..30).map(|n| stage.publish(0, &channel, n)).collect();
    let heard = stage.until("everything was heard", |stage| {
        let heard = known(stage, 1, &channel, &[]);
        (heard.len() == 30).then_some(heard)
    });
    assert_eq!(heard.into_values().collect::<Vec<_>>(), made);
    assert_eq!(made[0].position.epoch, begin.epoch);
    assert!(stage.heard(1, &other).is_empty(), "what is not followed is not told");
}

fn following_and_reading_join_without_a_hole(stage: &mut Stage<'_>) {
    for round in 0..10 {
        let channel = stage.channel(&format!("r{round}"));
        let request = |n| StoreRequest::Append { draft: draft(&channel, n), keep: KEEP };
        let mut asked: Vec<_> = (0..20).map(|n| stage.submit(0, request(n))).collect();
        (0..round % 4).for_each(|_| stage.turn());
        let at = stage.follow(1, &channel).extent.head.offset;
        let read = stage.read(1, &channel, Range::After(0), 100, KEEP).publications;
        asked.extend((20..40).map(|n| stage.submit(0, request(n))));
        asked.into_iter().for_each(|ticket| drop(appended(stage.answer(0, ticket))));
        // By news, or by what is read because of a doubt; nothing else would bring it.
        stage.until("everything after the beginning is known", |stage| {
            let known = known(stage, 1, &channel, &[]);
            (at + 1..=40).all(|offset| known.contains_key(&offset)).then_some(())
        });
        assert!(offsets(&read).is_sorted(), "a page is in order");
    }
}

fn whoever_follows_again_hears_again(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    for round in 1..=3 {
        stage.follow(1, &channel);
        stage.publish(0, &channel, round);
        stage.until("it was heard", |stage| {
            let heard = stage.heard(1, &channel);
            heard.iter().any(|p| p.position.offset == u64::from(round)).then_some(())
        });
        stage.unfollow(1, &channel);
        stage.turn();
    }
}

fn many_channels_followed_at_once_are_all_heard(stage: &mut Stage<'_>) {
    let channels: Vec<_> = (0..200).map(|n| stage.channel(&format!("c{n}"))).collect();
    channels[1..].iter().for_each(|channel| stage.follow_only(1, channel));
    stage.follow(1, &channels[0]);
    let read = |channel: &ChannelName| {
        let channel = channel.clone();
        let read =
            martlet_core::port::Read { channel, range: Range::After(0), limit: 0, keep: KEEP };
        StoreRequest::Read(read)
    };
    let asked: Vec<_> = channels.iter().map(|channel| stage.submit(1, read(channel))).collect();
    asked.into_iter().for_each(|ticket| drop(stage.answer(1, ticket)));
    let publish = |channel| StoreRequest::Append { draft: draft(channel, 1), keep: KEEP };
    let asked: Vec<_> = channels.iter().map(|c| stage.submit(0, publish(c))).collect();
    asked.into_iter().for_each(|ticket| drop(appended(stage.answer(0, ticket))));
    stage.until("all were heard", |stage| {
        channels.iter().all(|channel| !stage.heard(1, channel).is_empty()).then_some(())
    });
}

fn all_followers_see_one_order(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    (0..2).for_each(|node| drop(stage.follow(node, &channel)));
    let request = |n| StoreRequest::Append { draft: draft(&channel, n), keep: KEEP };
    let asked: Vec<_> = (0..60)
        .map(|n| {
            let node = n as usize % 2;
            (node, stage.submit(node, request(n)))
        })
        .collect();
    let answers: Vec<_> = asked.iter().map(|(n, t)| appended(stage.answer(*n, *t)).0).collect();
    for node in 0..2 {
        // A node's own may be told by the answer alone.
        let own: Vec<_> = answers.iter().skip(node).step_by(2).cloned().collect();
        let all = stage.until("everything is known", |stage| {
            let all = known(stage, node, &channel, &own);
            (all.len() == 60).then_some(all)
        });
        let page = stage.read(node, &channel, Range::After(0), 100, KEEP);
        assert_eq!(all.into_values().collect::<Vec<_>>(), page.publications);
    }
}
