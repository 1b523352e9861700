//! Promises about history: how much of it is kept, and what a page of it holds.

use std::time::Duration;

use martlet_core::model::{ChannelName, Offset, UnixMillis};
use martlet_core::port::Range;
use martlet_core::stream::Keep;

use super::stage::{KEEP, Stage, draft, offsets};
use super::{Case, promises};

pub(super) fn all() -> Vec<Case> {
    let cases = promises![1;
        pages_after_an_offset_are_in_order_and_limited,
        pages_until_an_offset_are_newest_first,
        pages_since_a_time_begin_there,
        no_more_is_kept_than_the_size_says,
        nothing_is_kept_longer_than_its_age,
        without_history_numbers_go_on_and_nothing_is_kept,
        a_long_history_is_read_page_by_page,
    ];
    cases.into_iter().collect()
}

fn page(stage: &mut Stage<'_>, channel: &ChannelName, range: Range, limit: usize) -> Vec<Offset> {
    offsets(&stage.read(0, channel, range, limit, KEEP).publications)
}

fn pages_after_an_offset_are_in_order_and_limited(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    (0..12).for_each(|n| drop(stage.publish(0, &channel, n)));
    assert_eq!(page(stage, &channel, Range::After(0), 3), [1, 2, 3]);
    assert_eq!(page(stage, &channel, Range::After(3), 4), [4, 5, 6, 7]);
    assert_eq!(page(stage, &channel, Range::After(10), 100), [11, 12]);
    assert_eq!(page(stage, &channel, Range::After(12), 100), [0; 0]);
    assert_eq!(page(stage, &channel, Range::After(900), 100), [0; 0]);
    let none = stage.read(0, &channel, Range::After(5), 0, KEEP);
    assert_eq!((none.before, none.extent.head.offset, none.publications.len()), (5, 12, 0));
}

fn pages_until_an_offset_are_newest_first(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    (0..12).for_each(|n| drop(stage.publish(0, &channel, n)));
    assert_eq!(page(stage, &channel, Range::Until(u64::MAX - 1), 3), [12, 11, 10]);
    assert_eq!(page(stage, &channel, Range::Until(9), 4), [9, 8, 7, 6]);
    assert_eq!(page(stage, &channel, Range::Until(2), 10), [2, 1]);
    assert_eq!(page(stage, &channel, Range::Until(0), 10), [0; 0]);
}

fn pages_since_a_time_begin_there(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let mut made = vec![stage.publish(0, &channel, 0)];
    while made.len() < 6 {
        let last = made[made.len() - 1].time;
        // Some share a time, some do not.
        made.push(stage.publish(0, &channel, 1));
        stage.until("time passes", |stage| (stage.now().wall > last.plus_ms(2)).then_some(()));
    }
    let time = made[3].time;
    let first = made.iter().find(|p| p.time >= time).map_or(0, |p| p.position.offset);
    let read = stage.read(0, &channel, Range::Since(time), 2, KEEP);
    assert_eq!((read.before, offsets(&read.publications)), (first - 1, vec![first, first + 1]));
    let all = stage.read(0, &channel, Range::Since(UnixMillis(1)), 100, KEEP);
    assert_eq!((all.before, all.publications.len()), (0, 6));
    let none = stage.read(0, &channel, Range::Since(made[5].time.plus_ms(60_000)), 100, KEEP);
    assert_eq!((none.before, none.publications.len()), (6, 0));
}

fn no_more_is_kept_than_the_size_says(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let keep = Keep { size: 5, ..KEEP };
    for n in 1..=12 {
        stage.append(0, draft(&channel, n), keep);
        let read = stage.read(0, &channel, Range::After(0), 100, keep);
        let first = u64::from(n.saturating_sub(4).max(1));
        assert_eq!(offsets(&read.publications), (first..=n.into()).collect::<Vec<_>>());
        assert_eq!((read.extent.first, read.extent.head.offset), (first, n.into()));
    }
}

fn nothing_is_kept_longer_than_its_age(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let keep = Keep { size: 10, age: Duration::from_millis(1_500) };
    (0..3).for_each(|n| drop(stage.append(0, draft(&channel, n), keep)));
    let begun = stage.now().instant;
    let middle = begun.after(Duration::from_millis(900));
    stage.until("some time passes", |stage| (stage.now().instant >= middle).then_some(()));
    let (fourth, _) = stage.append(0, draft(&channel, 3), keep);
    assert_eq!(fourth.position.offset, 4);
    let read = stage.until("the oldest are too old", |stage| {
        let read = stage.read(0, &channel, Range::After(0), 10, keep);
        (read.extent.first > 1).then_some(read)
    });
    assert!(stage.now().instant >= begun.after(Duration::from_millis(1_300)), "not too early");
    assert!(read.publications.iter().all(|p| p.position.offset >= read.extent.first));
    let read = stage.until("all are too old", |stage| {
        let read = stage.read(0, &channel, Range::After(0), 10, keep);
        (read.extent.first == 5).then_some(read)
    });
    assert_eq!((read.extent.head, read.publications.len()), (fourth.position, 0));
    let (fifth, _) = stage.append(0, draft(&channel, 4), keep);
    assert_eq!(fifth.position.offset, 5);
    assert_eq!(fifth.position.epoch, fourth.position.epoch, "what is too old is no loss");
}

fn without_history_numbers_go_on_and_nothing_is_kept(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let keep = Keep { size: 0, ..KEEP };
    let made: Vec<_> = (0..5).map(|n| stage.append(0, draft(&channel, n), keep).0).collect();
    assert_eq!(offsets(&made), [1, 2, 3, 4, 5]);
    let read = stage.read(0, &channel, Range::After(0), 10, keep);
    assert_eq!((read.extent.head, read.extent.first), (made[4].position, 6));
    assert_eq!((read.extent.kept, read.publications.len()), (false, 0));
}

fn a_long_history_is_read_page_by_page(stage: &mut Stage<'_>) {
    let channel = stage.channel("a");
    let keep = Keep { size: 2_000, ..KEEP };
    let request = |n| {
        let draft = draft(&channel, n);
        martlet_core::port::StoreRequest::Append { draft, keep }
    };
    for round in 0..10 {
        let asked: Vec<_> = (0..100).map(|n| stage.submit(0, request(round * 100 + n))).collect();
        asked.into_iter().for_each(|ticket| drop(stage.answer(0, ticket)));
    }
    let mut read = Vec::new();
    while let Some(publication) = {
        let page = stage.read(0, &channel, Range::After(read.len() as u64), 256, keep);
        read.extend(page.publications.iter().cloned());
        page.publications.first().cloned()
    } {
        assert!(publication.position.offset <= 1_000);
    }
    assert_eq!(offsets(&read), (1..=1_000).collect::<Vec<_>>());
    assert!(read.is_sorted_by(|a, b| a.id < b.id));
}
