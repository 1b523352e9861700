//! Promises about what a publication becomes: its number, its id, its time, and everything in it.

use std::collections::BTreeSet;

use bytes::Bytes;
use martlet_core::model::{ClientId, Data, Draft, Publisher, UserId};
use martlet_core::port::{Range, StoreRequest};

use super::stage::{KEEP, Stage, appended, draft, keyed, offsets};
use super::{Case, promises};

pub(super) fn all() -> Vec<Case> {
    let one = promises![1;
        offsets_rise_by_one_from_one_in_one_epoch,
        ids_and_times_rise,
        what_was_asked_at_once_is_numbered_in_that_order,
        a_channel_without_publications_has_a_position_and_goes_on_from_it,
        everything_in_a_draft_comes_back,
        large_data_comes_back,
        odd_names_are_channels_of_their_own,
        a_key_publishes_once_in_its_channel,
        a_key_asked_at_once_publishes_once,
    ];
    let two = promises![2;
        two_nodes_number_one_channel,
        a_key_publishes_once_on_all_nodes,
    ];
    one.into_iter().chain(two).collect()
}

fn offsets_rise_by_one_from_one_in_one_epoch(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let made: Vec<_> = (0..20).map(|n| stage.publish(0, &channel, n)).collect();
    assert_eq!(offsets(&made), (1..=20).collect::<Vec<_>>());
    assert!(
        made.iter().all(|p| p.position.epoch == made[0].position.epoch && p.channel == channel)
    );
    let page = stage.read(0, &channel, Range::After(0), 100, KEEP);
    assert_eq!((page.extent.head, page.extent.first), (made[19].position, 1));
    assert_eq!(page.publications, made, "what was answered is what is read");
}

fn ids_and_times_rise(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let made: Vec<_> = (0..50).map(|n| stage.publish(0, &channel, n)).collect();
    assert!(made.is_sorted_by(|a, b| a.id < b.id && a.time <= b.time));
    assert!(made.iter().all(|p| p.id.time() == p.time));
}

fn what_was_asked_at_once_is_numbered_in_that_order(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let drafts: Vec<_> = (0..300).map(|n| draft(&channel, n)).collect();
    let ask = |draft: &Draft| StoreRequest::Append { draft: draft.clone(), keep: KEEP };
    let asked: Vec<_> = drafts.iter().map(|draft| stage.submit(0, ask(draft))).collect();
    for (n, ticket) in asked.into_iter().enumerate() {
        let (publication, duplicate) = appended(stage.answer(0, ticket));
        assert_eq!((publication.position.offset, duplicate), (n as u64 + 1, false));
        assert_eq!(publication.data, drafts[n].data);
    }
    let page = stage.read(0, &channel, Range::After(0), 1_000, KEEP);
    assert_eq!(offsets(&page.publications), (201..=300).collect::<Vec<_>>());
    assert!(page.publications.is_sorted_by(|a, b| a.id < b.id && a.time <= b.time));
}

fn a_channel_without_publications_has_a_position_and_goes_on_from_it(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let before = stage.read(0, &channel, Range::After(0), 10, KEEP).extent;
    assert_eq!((before.head.offset, before.first, before.kept), (0, 1, true));
    let first = stage.publish(0, &channel, 1);
    assert_eq!((first.position.epoch, first.position.offset), (before.head.epoch, 1));
}

fn everything_in_a_draft_comes_back(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let json = Draft {
        name: Some("news".into()),
        reference: Some("my ref".into()),
        tags: vec![("lang".into(), "de".into()), ("ä".into(), "".into())],
        from: Some(Publisher { client: ClientId::new(u64::MAX), user: UserId::parse("jürgen") }),
        data: Data::Json(Bytes::from_static(b"{\"a\":[1,2,\"\xc3\xa4\"]}")),
        ..draft(&channel, 0)
    };
    let bytes = Draft {
        from: Some(Publisher { client: ClientId::new(0), user: None }),
        data: Data::Bytes(Bytes::from((0..=255).collect::<Vec<u8>>())),
        ..draft(&channel, 0)
    };
    let empty = Draft { data: Data::Bytes(Bytes::new()), ..draft(&channel, 0) };
    for draft in [json, bytes, empty] {
        let (made, _) = stage.append(0, draft.clone(), KEEP);
        let page = stage.read(0, &channel, Range::After(made.position.offset - 1), 1, KEEP);
        assert_eq!(page.publications[0], made);
        assert_eq!((&made.name, &made.reference), (&draft.name, &draft.reference));
        assert_eq!((&made.tags, &made.from, &made.data), (&draft.tags, &draft.from, &draft.data));
    }
}

fn large_data_comes_back(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let large = |n: u8| Data::Bytes(Bytes::from(vec![n; 64 * 1024]));
    let asked: Vec<_> = (0..20)
        .map(|n| {
            let draft = Draft { data: large(n), ..draft(&channel, 0) };
            stage.submit(0, StoreRequest::Append { draft, keep: KEEP })
        })
        .collect();
    asked.into_iter().for_each(|ticket| drop(appended(stage.answer(0, ticket))));
    let page = stage.read(0, &channel, Range::After(0), 100, KEEP);
    let data: Vec<_> = page.publications.iter().map(|p| p.data.clone()).collect();
    assert_eq!(data, (0..20).map(large).collect::<Vec<_>>());
}

fn odd_names_are_channels_of_their_own(stage: &mut Stage<'_>) {
    let long = "ü".repeat(120);
    let names = [
        "x:y/z",
        "ä*>.",
        "a.b.*",
        "a.b.c",
        "$G",
        "$JS.API.>",
        ">",
        "*",
        "a%2eb",
        "a=2eb",
        "a.b",
        "A",
        "a",
        "_",
        "-",
        "\\'\"{}",
        "日本",
        &long,
    ];
    let channels: Vec<_> = names.iter().map(|name| stage.channel(name)).collect();
    for (n, channel) in channels.iter().enumerate() {
        stage.follow(0, channel);
        assert_eq!(stage.publish(0, channel, n as u32).position.offset, 1, "{channel}");
    }
    for (n, channel) in channels.iter().enumerate() {
        let page = stage.read(0, channel, Range::After(0), 10, KEEP);
        let data: Vec<_> = page.publications.iter().map(|p| p.data.clone()).collect();
        assert_eq!(data, [draft(channel, n as u32).data], "{channel}");
    }
    let epochs: BTreeSet<_> = channels
        .iter()
        .map(|channel| stage.read(0, channel, Range::After(0), 0, KEEP).extent.head.epoch.bits())
        .collect();
    assert_eq!(epochs.len(), channels.len());
}

fn a_key_publishes_once_in_its_channel(stage: &mut Stage<'_>) {
    let (a, b) = (stage.channel("a"), stage.channel("b"));
    let (first, repeated) = stage.append(0, keyed(&a, 1, "key. *>"), KEEP);
    assert!(!repeated);
    stage.publish(0, &a, 2);
    let (again, repeated) = stage.append(0, keyed(&a, 3, "key. *>"), KEEP);
    assert!(repeated);
    assert_eq!((again.id, again.position, again.time), (first.id, first.position, first.time));
    assert!(!stage.append(0, keyed(&b, 1, "key. *>"), KEEP).1, "another channel");
    assert!(!stage.append(0, keyed(&a, 1, "key.>"), KEEP).1, "another key");
    let page = stage.read(0, &a, Range::After(0), 10, KEEP);
    assert_eq!(offsets(&page.publications), [1, 2, 3]);
}

fn a_key_asked_at_once_publishes_once(stage: &mut Stage<'_>) {
    publish_under_one_key(stage, &[0; 8]);
}

fn a_key_publishes_once_on_all_nodes(stage: &mut Stage<'_>) {
    publish_under_one_key(stage, &[0, 1, 0, 1, 1, 1, 0]);
}

/// The nodes publish under one key at once: one of them does.
fn publish_under_one_key(stage: &mut Stage<'_>, nodes: &[usize]) {
    let channel = stage.channel("a");
    let request = || StoreRequest::Append { draft: keyed(&channel, 1, "k"), keep: KEEP };
    let asked: Vec<_> = nodes.iter().map(|node| (*node, stage.submit(*node, request()))).collect();
    let answers: Vec<_> = asked.iter().map(|(n, t)| appended(stage.answer(*n, *t))).collect();
    assert_eq!(answers.iter().filter(|(_, duplicate)| !duplicate).count(), 1);
    let one: BTreeSet<_> = answers.iter().map(|(p, _)| (p.id, p.position.offset, p.time)).collect();
    assert_eq!(one.len(), 1, "all have one receipt");
    assert_eq!(stage.read(0, &channel, Range::After(0), 10, KEEP).extent.head.offset, 1);
}

fn two_nodes_number_one_channel(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    (0..2).for_each(|node| drop(stage.follow(node, &channel)));
    let request = |n| StoreRequest::Append { draft: draft(&channel, n), keep: KEEP };
    let mut asked = Vec::new();
    for n in 0..100 {
        let node = n as usize % 2;
        asked.push((node, stage.submit(node, request(n))));
        if n % 7 == 0 {
            stage.turn();
        }
    }
    let answers = asked.iter().map(|(n, t)| appended(stage.answer(*n, *t)).0);
    let mut made: Vec<_> = answers.collect();
    made.sort_by_key(|publication| publication.position.offset);
    assert_eq!(offsets(&made), (1..=100).collect::<Vec<_>>());
    assert!(made.is_sorted_by(|a, b| a.id < b.id && a.time <= b.time));
    for node in 0..2 {
        let page = stage.read(node, &channel, Range::After(0), 100, KEEP);
        assert_eq!(page.publications, made, "both read what was answered");
    }
    assert!(made.iter().map(|p| p.data.clone()).collect::<Vec<_>>().iter().all(|d| d.len() < 3));
}
