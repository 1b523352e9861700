use bytes::Bytes;
use martlet_core::model::{Data, Offset};

use super::*;

const KEEP: Keep = Keep { size: 3, age: Duration::from_secs(60) };

fn at(ms: u64) -> Now {
    Now { instant: Instant(ms * 1_000), wall: UnixMillis(1_000_000 + ms) }
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

fn draft(channel: &str, key: Option<&str>) -> Draft {
    Draft {
        channel: name(channel),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: key.map(Into::into),
        data: Data::Json(Bytes::from_static(b"1")),
    }
}

fn ask(store: &mut MemoryStore, now: Now, request: StoreRequest) -> StoreReply {
    store.submit(now, StoreTicket(1), request);
    store.poll_reply().unwrap().1
}

fn append(store: &mut MemoryStore, now: Now, draft: Draft) -> (Arc<Publication>, bool) {
    match ask(store, now, StoreRequest::Append { draft, keep: KEEP }) {
        StoreReply::Appended { publication, duplicate } => (publication, duplicate),
        other => panic!("{other:?}"),
    }
}

fn read(store: &mut MemoryStore, now: Now, range: Range) -> Page {
    let read = Read { channel: name("a"), range, limit: 10, keep: KEEP };
    match ask(store, now, StoreRequest::Read(read)) {
        StoreReply::Page(page) => page,
        other => panic!("{other:?}"),
    }
}

fn offsets(page: &Page) -> Vec<Offset> {
    page.publications.iter().map(|p| p.position.offset).collect()
}

#[test]
fn numbers_keeps_and_reads() {
    let mut store = MemoryStore::new(at(0), 10, 7);
    let made: Vec<_> =
        (0..5).map(|n| append(&mut store, at(n * 1_000), draft("a", None)).0).collect();
    assert!(made.is_sorted_by(|a, b| a.id < b.id && a.position.offset + 1 == b.position.offset));
    let page = read(&mut store, at(5_000), Range::After(0));
    assert_eq!((page.extent.first, page.extent.head.offset, offsets(&page)), (3, 5, vec![3, 4, 5]));
    assert_eq!(read(&mut store, at(5_000), Range::Since(UnixMillis(1_003_500))).before, 4);
    assert_eq!(offsets(&read(&mut store, at(5_000), Range::Until(4))), [4, 3]);
}

#[test]
fn a_key_publishes_once_within_its_time() {
    let mut store = MemoryStore::new(at(0), 10, 7);
    let (first, _) = append(&mut store, at(0), draft("a", Some("k")));
    let (again, repeated) = append(&mut store, at(299_999), draft("a", Some("k")));
    assert!(repeated);
    assert_eq!((again.id, again.position, again.time), (first.id, first.position, first.time));
    assert!(again.data.is_empty(), "a key holds no data");
    assert!(!append(&mut store, at(1), draft("b", Some("k"))).1, "keys belong to a channel");
    let (later, duplicate) = append(&mut store, at(300_001), draft("a", Some("k")));
    assert!(!duplicate && later.position.offset == 2);
}

#[test]
fn what_is_too_old_is_let_go_and_the_position_stays() {
    let mut store = MemoryStore::new(at(0), 10, 7);
    append(&mut store, at(0), draft("a", None));
    store.handle_timeout(at(61_000));
    assert!(store.channels[&name("a")].window.is_empty());
    let page = read(&mut store, at(61_000), Range::After(0));
    assert_eq!((page.extent.first, page.extent.head.offset), (2, 1));
}

#[test]
fn keeps_no_more_channels_than_it_may() {
    let mut store = MemoryStore::new(at(0), 2, 7);
    append(&mut store, at(0), draft("a", None));
    append(&mut store, at(0), draft("b", None));
    let refused =
        ask(&mut store, at(0), StoreRequest::Append { draft: draft("c", None), keep: KEEP });
    assert_eq!(refused, StoreReply::Failed(StoreError::Full));
    append(&mut store, at(0), draft("a", None));
}

#[test]
fn ids_rise_though_the_clock_jumps_back() {
    let mut store = MemoryStore::new(at(5_000), 10, 7);
    let mut back = at(6_000);
    let (first, _) = append(&mut store, back, draft("a", None));
    back.wall = UnixMillis(1);
    let (second, _) = append(&mut store, back, draft("a", None));
    assert!(second.id > first.id && second.time >= first.time);
}

#[test]
fn channels_that_are_only_looked_at_are_not_kept() {
    let mut store = MemoryStore::new(at(0), 2, 7);
    let look = |store: &mut MemoryStore, channel: &str| {
        let read = Read { channel: name(channel), range: Range::After(0), limit: 1, keep: KEEP };
        match ask(store, at(0), StoreRequest::Read(read)) {
            StoreReply::Page(page) => page.extent,
            other => panic!("{other:?}"),
        }
    };
    let extents: Vec<_> = (0..100).map(|n| look(&mut store, &format!("c{n}"))).collect();
    assert_eq!(store.channels(), 0);
    let epochs: std::collections::HashSet<_> = extents.iter().map(|e| e.head.epoch).collect();
    assert_eq!(epochs.len(), 100, "each has an epoch of its own");
    assert!(extents.iter().all(|e| (e.head.offset, e.first) == (0, 1)));
    // Whoever looked before goes on from there, without a gap.
    let (publication, _) = append(&mut store, at(1), draft("c50", None));
    assert_eq!(publication.position, Position { offset: 1, ..extents[50].head });
    let other = MemoryStore::new(at(0), 2, 8);
    assert_ne!(begin(other.life(&name("c50")), &name("c50")), extents[50].head);
}

#[test]
fn a_channel_that_was_forgotten_comes_back_as_another() {
    let mut store = MemoryStore::new(at(0), 4, 7);
    let short = Keep { size: 0, age: Duration::ZERO };
    let publish = |store: &mut MemoryStore, now, channel: &str| {
        let draft = draft(channel, None);
        match ask(store, now, StoreRequest::Append { draft, keep: short }) {
            StoreReply::Appended { publication, .. } => publication.position,
            other => panic!("{other:?}"),
        }
    };
    let old = publish(&mut store, at(0), "a");
    for channel in ["b", "c", "d"] {
        publish(&mut store, at(0), channel);
    }
    let soon = at(REMEMBERED_WHEN_FULL.as_millis() as u64 / 2);
    publish(&mut store, soon, "d");
    store.handle_timeout(soon);
    assert_eq!(store.channels(), 4, "a little while they are remembered even when it is full");
    let later = at(REMEMBERED_WHEN_FULL.as_millis() as u64 + 1);
    store.handle_timeout(later);
    assert_eq!(store.channels(), 1, "what was used is still there");
    let new = publish(&mut store, later, "a");
    assert_eq!(new.offset, 1);
    assert_ne!(new.epoch, old.epoch);
}

#[test]
fn histories_take_no_more_memory_than_they_may() {
    let large = |channel: &str| Draft {
        data: Data::Json(Bytes::from(vec![b'1'; 10_000])),
        ..draft(channel, None)
    };
    let keep = Keep { size: 100, age: Duration::from_secs(60) };
    let mut store = MemoryStore::new(at(0), 1_000, 7).with_bytes_max(200_000);
    let publish = |store: &mut MemoryStore, now, channel: &str| {
        let request = StoreRequest::Append { draft: large(channel), keep };
        assert!(matches!(ask(store, now, request), StoreReply::Appended { .. }));
        assert!(store.weight <= store.weight_max, "{}", store.weight);
        let held = store.channels.values().map(|channel| channel.window.weight());
        assert_eq!(store.weight, held.sum::<usize>());
    };
    let kept = |store: &MemoryStore, channel: &str| store.channels[&name(channel)].window.len();
    (0..5).for_each(|n| publish(&mut store, at(n), "quiet"));
    // One channel that floods pays by itself,
    (0..50).for_each(|n| publish(&mut store, at(10 + n), "loud"));
    assert_eq!(kept(&store, "quiet"), 5);
    assert!((10..20).contains(&kept(&store, "loud")));
    // and a flood of channels takes from those that would be the next to go.
    (0..50).for_each(|n| publish(&mut store, at(100 + n), &format!("c{n}")));
    assert_eq!((kept(&store, "quiet"), kept(&store, "loud"), kept(&store, "c0")), (0, 0, 0));
    assert_eq!(kept(&store, "c49"), 1);
    let head = store.channels[&name("quiet")].head;
    let read = Read { channel: name("quiet"), range: Range::After(0), limit: 9, keep };
    let StoreReply::Page(page) = ask(&mut store, at(200), StoreRequest::Read(read)) else {
        panic!("it is read")
    };
    assert_eq!((page.extent.head, page.extent.first), (head, 6), "what is gone is known");
    // Time takes the rest, and nothing is left to count.
    store.handle_timeout(at(120_000));
    assert_eq!(store.weight, 0);
    assert!(store.expiries.is_empty());
}

#[test]
fn what_is_larger_than_all_room_is_still_taken() {
    let mut store = MemoryStore::new(at(0), 10, 7).with_bytes_max(1);
    append(&mut store, at(0), draft("a", None));
    append(&mut store, at(0), draft("b", None));
    let page = read(&mut store, at(1), Range::After(0));
    assert_eq!(offsets(&page), [0; 0], "the older one has gone");
    assert_eq!(store.channels[&name("b")].window.len(), 1);
}

#[test]
fn histories_are_let_go_before_their_time_oldest_first_and_no_more_than_asked_for() {
    let mut store = MemoryStore::new(at(0), 10, 7);
    for n in 0..3 {
        append(&mut store, at(n), draft("a", None));
        append(&mut store, at(n + 10), draft("b", None));
    }
    let held = store.held_bytes();
    let gone = store.let_go(1);
    assert_eq!(store.held_bytes(), held - gone);
    assert_eq!(
        offsets(&read(&mut store, at(20), Range::After(0))),
        [2, 3],
        "a's first is the oldest"
    );
    assert!(store.let_go(gone * 2 + 1) > gone * 2, "a's others, and one of b");
    let page = read(&mut store, at(20), Range::After(0));
    assert_eq!((page.extent.first, page.extent.head.offset, offsets(&page)), (4, 3, vec![]));
    assert_eq!(store.let_go(usize::MAX), gone * 2);
    assert_eq!(store.let_go(usize::MAX), 0);
    assert_eq!(append(&mut store, at(30), draft("a", None)).0.position.offset, 4);
    assert_eq!(offsets(&read(&mut store, at(30), Range::After(0))), [4]);
}
