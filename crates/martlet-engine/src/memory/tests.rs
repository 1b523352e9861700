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
    assert_eq!(append(&mut store, at(299_999), draft("a", Some("k"))), (first.clone(), true));
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
