//! What stores say after a hand-over is what the others said before it.

use std::sync::Arc;

use martlet_core::model::{Data, Draft, Offset, Publisher, Slots};
use martlet_core::port::{
    Engine as _, Page, Range, Read, Store as _, StoreError, StoreReply, StoreRequest, StoreTicket,
};
use proptest::prelude::*;

use super::*;

const SEED: u64 = 77;

/// How long the histories of these tests are, by channel.
fn keep(channel: usize) -> Keep {
    let size = [0, 3, 50, 1_000][channel % 4];
    Keep { size, age: Duration::from_secs(60) }
}

fn name(channel: usize) -> ChannelName {
    ChannelName::parse(&format!("c{channel}")).unwrap()
}

fn draft(channel: usize, key: Option<u8>, bytes: usize) -> Draft {
    Draft {
        channel: name(channel),
        name: bytes.is_multiple_of(2).then(|| "tick".into()),
        reference: bytes.is_multiple_of(3).then(|| "r".into()),
        tags: (0..bytes % 3).map(|n| (format!("t{n}").into(), "v".into())).collect(),
        from: None,
        idempotency_key: key.map(|key| format!("k{key}").into()),
        data: match bytes % 5 {
            0 => Data::Bytes(vec![b'x'; bytes].into()),
            _ => Data::Json(vec![b'1'; bytes].into()),
        },
    }
}

/// The stores of one process, whose monotonic clock began at `began`.
struct Process {
    stores: Vec<MemoryStore>,
    began: u64,
    wall: u64,
}

impl Process {
    fn empty(workers: usize, wall: u64, random: u64) -> Vec<MemoryStore> {
        let now = Now { instant: Instant(0), wall: UnixMillis(wall) };
        let store = |n| MemoryStore::new(now, 1_000, random + n as u64).with_slots(SEED);
        (0..workers).map(store).collect()
    }

    fn start(workers: usize) -> Self {
        Self { stores: Self::empty(workers, 1_000_000, 1), began: 1_000_000, wall: 1_000_000 }
    }

    fn now(&self) -> Now {
        let instant = Instant((self.wall - self.began) * 1_000);
        Now { instant, wall: UnixMillis(self.wall) }
    }

    fn submit(&mut self, request: StoreRequest) -> Option<StoreReply> {
        let now = self.now();
        let owner = Slots::new(SEED).owner(request.channel(), self.stores.len());
        self.stores[owner].submit(now, StoreTicket(1), request);
        Some(self.stores[owner].poll_reply()?.1)
    }

    fn ask(&mut self, request: StoreRequest) -> StoreReply {
        self.submit(request).expect("a store answers at once")
    }

    fn append(&mut self, channel: usize, draft: Draft) -> (Arc<Publication>, bool) {
        match self.ask(StoreRequest::Append { draft, keep: keep(channel) }) {
            StoreReply::Appended { publication, duplicate } => (publication, duplicate),
            other => panic!("{other:?}"),
        }
    }

    fn read(&mut self, channel: usize, range: Range, limit: usize) -> Page {
        let read = Read { channel: name(channel), range, limit, keep: keep(channel) };
        match self.ask(StoreRequest::Read(read)) {
            StoreReply::Page(page) => page,
            other => panic!("{other:?}"),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.wall += ms;
        let now = self.now();
        self.stores.iter_mut().for_each(|store| store.handle_timeout(now));
    }

    fn pieces(&mut self) -> Vec<Bytes> {
        let now = self.now();
        let stores = self.stores.iter_mut();
        stores.flat_map(|store| std::iter::from_fn(|| store.poll_piece(now))).collect()
    }

    fn settle(&mut self, served: bool) {
        let now = self.now();
        self.stores.iter_mut().for_each(|store| store.settle_hand_over(now, served));
    }

    /// The process that takes its place, with so many workers.
    fn successor(&mut self, workers: usize, pieces: Vec<Bytes>) -> Result<Self, Garbage> {
        let stores = Self::empty(workers, self.wall, 100);
        let began = self.wall - 1;
        let mut successor = Self { stores, began, wall: self.wall };
        let now = successor.now();
        let mut arrival = Arrival::new(std::mem::take(&mut successor.stores), self.stores.len());
        pieces.into_iter().try_for_each(|piece| arrival.handle_piece(now, piece))?;
        successor.stores = arrival.finish()?;
        Ok(successor)
    }

    fn hand_over(&mut self, workers: usize) -> Self {
        let pieces = self.pieces();
        let successor = self.successor(workers, pieces).unwrap();
        self.settle(false);
        successor
    }
}

/// Something that happens before the hand-over.
#[derive(Debug, Clone)]
enum Deed {
    Publish { channel: usize, key: Option<u8>, bytes: usize },
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let key = proptest::option::weighted(0.3, 0..8_u8);
    prop_oneof![
        6 => (0..8_usize, key, 0..200_usize)
            .prop_map(|(channel, key, bytes)| Deed::Publish { channel, key, bytes }),
        1 => (0..20_000_u64).prop_map(Deed::Pass),
    ]
}

fn live(process: &mut Process, deeds: Vec<Deed>) {
    for deed in deeds {
        match deed {
            Deed::Publish { channel, key, bytes } => {
                process.append(channel, draft(channel, key, bytes));
            }
            Deed::Pass(ms) => process.pass(ms),
        }
    }
}

/// Both answer every question alike; channels from 8 nobody has published in.
fn alike(before: &mut Process, after: &mut Process) {
    for channel in 0..12 {
        for limit in [0, 2, 1_000] {
            let wall = before.wall;
            let times = [0, 1_000, 30_000, 90_000].map(|ago| Range::Since(UnixMillis(wall - ago)));
            let offsets = [0, 1, 7, 40, Offset::MAX];
            let ranges = offsets.map(Range::After).into_iter().chain(offsets.map(Range::Until));
            for range in ranges.chain(times) {
                let (one, other) =
                    (before.read(channel, range, limit), after.read(channel, range, limit));
                assert_eq!(one, other, "c{channel} {range:?}");
            }
        }
    }
}

/// Both take the same for repeats, and give the next the same places.
fn take_alike(before: &mut Process, after: &mut Process) {
    for (channel, key) in (0..10).flat_map(|channel| (0..8).map(move |key| (channel, key))) {
        let newest = before.read(channel, Range::Until(Offset::MAX), 1).publications.pop();
        let (one, again) = before.append(channel, draft(channel, Some(key), 1));
        let (other, as_well) = after.append(channel, draft(channel, Some(key), 1));
        assert_eq!((one.position, again), (other.position, as_well), "c{channel} k{key}");
        if again {
            assert_eq!((one.id, one.time), (other.id, other.time));
        } else if let Some(newest) = newest.filter(|_| key == 0) {
            assert!(other.id > newest.id && other.time >= newest.time, "ids rise");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_answered_as_before(
        deeds in proptest::collection::vec(deed(), 0..300),
        workers in 1..5_usize,
        then in 1..5_usize,
        later in 0..400_000_u64,
    ) {
        let mut before = Process::start(workers);
        live(&mut before, deeds);
        let mut after = before.hand_over(then);
        alike(&mut before, &mut after);
        before.pass(later);
        after.pass(later);
        alike(&mut before, &mut after);
        take_alike(&mut before, &mut after);
        let mut last = after.hand_over(workers);
        alike(&mut after, &mut last);
    }

    #[test]
    fn nothing_else_is_taken(bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
        let mut before = Process::start(1);
        before.append(2, draft(2, None, 10));
        let mut pieces = before.pieces();
        pieces.insert(0, bytes.into());
        // Whatever it may be read as, it is more than there was.
        if let Ok(after) = before.successor(2, pieces) {
            prop_assert_eq!(after.stores.iter().map(MemoryStore::channels).sum::<usize>(), 1);
        }
    }

    #[test]
    fn half_of_it_is_none(
        deeds in proptest::collection::vec(deed(), 1..200),
        cut in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let mut before = Process::start(2);
        live(&mut before, deeds);
        let mut pieces = before.pieces();
        let cut = cut.index(pieces.len());
        prop_assert!(before.successor(3, pieces[..cut].to_vec()).is_err());
        prop_assert!(before.successor(3, [&pieces[..], &pieces[cut..=cut]].concat()).is_err());
        // What was altered on the way does not end in a panic.
        let mut altered = pieces[cut].to_vec();
        let bit = bit.index(altered.len() * 8);
        altered[bit / 8] ^= 1 << (bit % 8);
        pieces[cut] = altered.into();
        let _ = before.successor(3, pieces);
    }
}

#[test]
fn long_histories_and_large_publications_go_in_several_pieces() {
    let mut before = Process::start(1);
    for n in 0..200 {
        before.append(3, draft(3, None, 10_000 + n));
    }
    let pieces = before.pieces();
    assert!(pieces.len() > 5 && pieces.iter().all(|piece| piece.len() < 500_000));
    for missing in 0..pieces.len() {
        let mut rest = pieces.clone();
        rest.remove(missing);
        assert!(before.successor(2, rest).is_err(), "piece {missing} of {}", pieces.len());
    }
    let mut after = before.successor(2, pieces).unwrap();
    before.settle(false);
    assert_eq!(after.read(3, Range::After(0), 1_000).publications.len(), 200);
    alike(&mut before, &mut after);
}

#[test]
fn ids_rise_also_from_one_process_to_the_next() {
    let mut before = Process::start(2);
    before.pass(1_000);
    let old: Vec<_> = (0..20).map(|_| before.append(3, draft(3, None, 1)).0).collect();
    // No time passes, and the wall clock jumps back.
    for back in [0, 500] {
        let pieces = before.pieces();
        before.wall -= back;
        let mut after = before.successor(1, pieces).unwrap();
        before.settle(false);
        let (next, _) = after.append(3, draft(3, None, 1));
        let newest = old.last().unwrap();
        assert!(next.id > newest.id && next.time >= newest.time, "{newest:?} {next:?}");
    }
}

#[test]
fn drafts_wait_and_are_taken_if_nobody_serves() {
    let mut process = Process::start(1);
    process.append(2, draft(2, None, 1));
    let pieces = process.pieces();
    let append = |bytes| StoreRequest::Append { draft: draft(2, None, bytes), keep: keep(2) };
    assert_eq!(process.submit(append(2)), None);
    assert_eq!(process.submit(append(3)), None);
    assert_eq!(process.read(2, Range::After(0), 9).extent.head.offset, 1, "what is read goes on");
    let mut after = process.successor(1, pieces).unwrap();
    process.settle(false);
    for offset in [2, 3] {
        let reply = process.stores[0].poll_reply().map(|(_, reply)| reply);
        let Some(StoreReply::Appended { publication, .. }) = reply else { panic!("{reply:?}") };
        assert_eq!(publication.position.offset, offset);
    }
    assert_eq!(process.append(2, draft(2, None, 4)).0.position.offset, 4);
    assert_eq!(
        after.read(2, Range::After(0), 9).extent.head.offset,
        1,
        "they were not handed over"
    );
    // And another time.
    assert_eq!(process.hand_over(2).read(2, Range::After(0), 9).publications.len(), 4);
}

#[test]
fn once_another_serves_a_backend_is_told_so_and_a_client_is_not_answered() {
    let mut process = Process::start(1);
    let client = Publisher { client: martlet_core::model::ClientId::new(1), user: None };
    let append = |from: Option<&Publisher>| {
        let draft = Draft { from: from.cloned(), ..draft(2, None, 1) };
        StoreRequest::Append { draft, keep: keep(2) }
    };
    process.pieces();
    assert_eq!(process.submit(append(None)), None);
    assert_eq!(process.submit(append(Some(&client))), None);
    process.settle(true);
    let moved = Some(StoreReply::Failed(StoreError::Moved));
    assert_eq!(process.stores[0].poll_reply().map(|(_, reply)| reply), moved);
    assert_eq!(process.stores[0].poll_reply(), None);
    assert_eq!(process.submit(append(None)), moved);
    assert_eq!(process.submit(append(Some(&client))), None);
    assert_eq!(process.read(2, Range::After(0), 9).extent.head.offset, 0, "nothing was published");
}

#[test]
fn no_more_waits_than_there_is_room_for() {
    let mut process = Process::start(1);
    process.pieces();
    let append = |_| StoreRequest::Append { draft: draft(2, None, 100_000), keep: keep(2) };
    let waiting = (0..1_000).map(append).filter(|a| process.submit(a.clone()).is_none()).count();
    assert!((100..200).contains(&waiting), "{waiting}");
}

#[test]
fn a_channel_that_was_forgotten_is_another_also_elsewhere() {
    let mut before = Process::start(2);
    for store in &mut before.stores {
        store.channels_max = 4;
    }
    // Channels of no history, until each store has many.
    let old: Vec<_> =
        (0..4).map(|n| before.append(4 * n, draft(4 * n, None, 1)).0.position).collect();
    let untouched = before.read(400, Range::After(0), 1).extent.head;
    for store in &mut before.stores {
        store.channels_max = 1;
    }
    before.pass(11 * 60_000);
    assert_eq!(before.stores.iter().map(MemoryStore::channels).sum::<usize>(), 0);
    let mut after = before.hand_over(3);
    for (n, old) in old.iter().enumerate() {
        let head = after.read(4 * n, Range::After(0), 1).extent.head;
        assert_eq!(head, before.read(4 * n, Range::After(0), 1).extent.head);
        assert_ne!(head.epoch, old.epoch);
    }
    assert_eq!(after.read(400, Range::After(0), 1).extent.head, untouched, "in another slot");
}

#[test]
fn no_more_is_kept_than_there_is_memory_for() {
    let mut before = Process::start(1);
    for n in 0..300 {
        before.append(3, draft(3, None, 1_000 + n % 2));
    }
    let pieces = before.pieces();
    let stores = Process::empty(1, before.wall, 100).into_iter();
    let mut arrival = Arrival::new(stores.map(|store| store.with_bytes_max(100_000)).collect(), 1);
    let now = before.now();
    pieces.into_iter().for_each(|piece| arrival.handle_piece(now, piece).unwrap());
    let store = arrival.finish().unwrap().pop().unwrap();
    assert!(store.weight <= 100_000 && store.weight > 90_000, "{}", store.weight);
    let held: usize = store.channels.values().map(|channel| channel.window.weight()).sum();
    assert_eq!(store.weight, held);
}
