//! Tests of the kept window.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::{ChannelName, Data, Epoch, Position, PublicationId};

fn publication(offset: Offset, time: u64) -> Arc<Publication> {
    Arc::new(Publication {
        channel: ChannelName::parse("a").unwrap(),
        id: PublicationId::new(UnixMillis(time), u128::from(offset)),
        position: Position { epoch: Epoch::new(1), offset },
        time: UnixMillis(time),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        data: Data::Json(Bytes::from_static(b"1")),
    })
}

fn offsets(publications: Vec<Arc<Publication>>) -> Vec<Offset> {
    publications.iter().map(|p| p.position.offset).collect()
}

fn keep(size: usize) -> Keep {
    Keep { size, age: Duration::from_secs(60) }
}

#[test]
fn keeps_the_newest_and_reads_both_ways() {
    let mut window = Window::default();
    (1..=10).for_each(|n| window.push(&publication(n, n * 1_000), keep(4)));
    assert_eq!(window.first(), Some(7));
    assert_eq!(offsets(window.after(8, 10)), [9, 10]);
    assert_eq!(offsets(window.after(2, 2)), [7, 8]);
    assert_eq!(offsets(window.until(9, 2)), [9, 8]);
    assert_eq!(offsets(window.until(u64::MAX - 1, 2)), [10, 9]);
    assert_eq!(window.before(UnixMillis(8_500)), Some(8));
    assert_eq!(window.before(UnixMillis(99_000)), Some(10));
}

#[test]
fn forgets_by_age_and_keeps_nothing_when_told_so() {
    let mut window = Window::default();
    (1..=3).for_each(|n| window.push(&publication(n, n * 1_000), keep(10)));
    window.expire(UnixMillis(62_500), Duration::from_secs(60));
    assert_eq!(window.first(), Some(3));
    window.push(&publication(4, 63_000), keep(0));
    assert_eq!(window.len(), 1);
}

proptest! {
    /// Against the plainest model there is: a list, and its last `size`.
    #[test]
    fn is_the_end_of_a_list(size in 1usize..20, count in 0u64..60, from in 0u64..70, limit in 0usize..30) {
        let mut window = Window::default();
        (1..=count).for_each(|n| window.push(&publication(n, n), keep(size)));
        let all: Vec<u64> = (1..=count).collect();
        let model = &all[all.len().saturating_sub(size)..];
        let after: Vec<u64> = model.iter().copied().filter(|n| *n > from).take(limit).collect();
        let until: Vec<u64> = model.iter().rev().copied().filter(|n| *n <= from).take(limit).collect();
        prop_assert_eq!(offsets(window.after(from, limit)), after);
        prop_assert_eq!(offsets(window.until(from, limit)), until);
    }
}

#[test]
fn the_farthest_offset_is_only_far() {
    let mut window = Window::default();
    (1..=3).for_each(|offset| window.push(&publication(offset, 0), keep(5)));
    assert_eq!(window.after(u64::MAX, 9).len(), 0);
    assert_eq!(window.until(u64::MAX, 9).len(), 3);
}
