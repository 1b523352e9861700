//! Tests of packing: whatever a publication carries comes back.

use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::model::Epoch;

fn text() -> impl Strategy<Value = Box<str>> {
    ".{0,12}".prop_map(String::into_boxed_str)
}

fn publisher() -> impl Strategy<Value = Publisher> {
    let user = of("[a-zé]{1,9}".prop_map(|user| UserId::parse(&user).unwrap()));
    (any::<u64>(), user)
        .prop_map(|(client, user)| Publisher { client: ClientId::new(client), user })
}

fn data() -> impl Strategy<Value = Data> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    (any::<bool>(), bytes)
        .prop_map(|(json, bytes)| if json { Data::Json(bytes) } else { Data::Bytes(bytes) })
}

prop_compose! {
    fn publication()(
        id in any::<u128>(),
        time in of(0u64..1 << 47),
        name in of(text()),
        reference in of(text()),
        tags in prop::collection::vec((text(), text()), 0..4),
        from in of(publisher()),
        data in data(),
    ) -> Publication {
        let id = PublicationId::from_bits(id);
        Publication {
            channel: ChannelName::parse("a").unwrap(),
            id,
            position: Position { epoch: Epoch::new(1), offset: 7 },
            time: time.map_or(id.time(), UnixMillis),
            name,
            reference,
            tags,
            from,
            data,
        }
    }
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(publication in publication()) {
        let packed = Packed::new(&publication);
        let back = packed.unpack(&publication.channel, publication.position);
        prop_assert_eq!(&back, &publication);
        prop_assert_eq!(packed.time(), publication.time);
        prop_assert_eq!(packed.len(), publication.packed_bytes());
    }
}

#[test]
fn what_many_have_takes_few_bytes_beside_the_data() {
    let id = PublicationId::new(UnixMillis(1_700_000_000_000), 5);
    let publication = Publication {
        channel: ChannelName::parse("a-rather-long-name:of-a-channel").unwrap(),
        id,
        position: Position { epoch: Epoch::new(1), offset: 7 },
        time: id.time(),
        name: None,
        reference: None,
        tags: Tags::new(),
        from: Some(Publisher { client: ClientId::new(9), user: None }),
        data: Data::Json(vec![b'1'; 128].into()),
    };
    assert_eq!(Packed::new(&publication).len(), 128 + 25);
}
