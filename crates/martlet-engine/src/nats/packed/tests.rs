use martlet_core::model::Data;

use super::*;

fn draft(text: &'static str) -> Draft {
    Draft {
        channel: ChannelName::parse("a").unwrap(),
        name: None,
        reference: Some("r".into()),
        tags: Vec::new(),
        from: None,
        idempotency_key: Some("k".into()),
        data: Data::Json(Bytes::from_static(text.as_bytes())),
    }
}

fn before() -> Before {
    let at = Position { epoch: Epoch::new(5), offset: 7 };
    let previous = Some(Position { epoch: Epoch::new(4), offset: 3 });
    Before { at, time: UnixMillis(1_000), previous, sequence: 70 }
}

#[test]
fn what_is_packed_comes_back_with_rising_ids() {
    let packed = Packed::new(before(), UnixMillis(900), 77, &[draft("1"), draft("2"), draft("3")]);
    let packed = Packed::read(packed.encode_to_vec().into()).unwrap();
    let read = packed.publications(&draft("").channel, Epoch::new(6));
    assert_eq!(read.iter().map(|p| p.position.offset).collect::<Vec<_>>(), [8, 9, 10]);
    assert!(read.iter().all(|p| p.position.epoch == Epoch::new(6) && p.time == UnixMillis(1_000)));
    assert!(read.is_sorted_by(|a, b| a.id < b.id));
    let end = packed.end(71);
    assert_eq!((end.at.offset, end.at.epoch), (10, Epoch::new(5)));
    assert_eq!((end.previous, end.time), (before().previous, UnixMillis(1_000)));
    assert_eq!((end.sequence, packed.begin()), (71, before()));
}

#[test]
fn one_without_publications_stands_where_its_channel_does() {
    let packed = Packed::new(before(), UnixMillis(2_000), 77, &[]);
    let end = packed.end(71);
    assert_eq!((end.at, end.time), (before().at, UnixMillis(2_000)));
    assert_eq!(Packed::read(Bytes::from_static(b"nonsense")), None);
    assert_eq!(Packed::read(Bytes::new()), None);
}

#[test]
fn a_receipt_knows_place_id_and_time() {
    let packed = Packed::new(before(), UnixMillis(2_000), u64::MAX, &[draft("1")]);
    let publication = &packed.publications(&draft("").channel, Epoch::new(5))[0];
    let receipt = Receipt::decode(&*Receipt::of(publication).encode_to_vec()).unwrap();
    let known = receipt.publication(&draft("").channel);
    let told = |p: &Publication| (p.id, p.position, p.time);
    assert_eq!(told(&known), told(publication));
}
