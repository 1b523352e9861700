use martlet_core::model::{Epoch, Offset};
use proptest::prelude::*;

use super::*;

fn position(offset: Offset) -> Position {
    Position { epoch: Epoch::new(7), offset }
}

fn text() -> impl Strategy<Value = Box<str>> {
    ".{0,12}".prop_map(Into::into)
}

fn draft() -> impl Strategy<Value = Draft> {
    let optional = || proptest::option::of(text());
    let data = (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40));
    let from = proptest::option::of((any::<u64>(), proptest::option::of("[a-z]{1,9}")));
    let tags = proptest::collection::vec((text(), text()), 0..4);
    (optional(), optional(), tags, from, data).prop_map(|(name, reference, tags, from, data)| {
        let bytes = Bytes::from(data.1);
        Draft {
            channel: ChannelName::parse("a").unwrap(),
            name,
            reference,
            tags,
            from: from.map(|(client, user)| Publisher {
                client: ClientId::new(client),
                user: user.and_then(|user| UserId::parse(&user)),
            }),
            idempotency_key: None,
            data: if data.0 { Data::Json(bytes) } else { Data::Bytes(bytes) },
        }
    })
}

proptest! {
    #[test]
    fn a_draft_comes_back_as_a_publication(draft in draft(), unique in any::<u64>()) {
        let record = write_draft(&draft, unique);
        let channel = draft.channel.clone();
        let time = UnixMillis(1_700_000_000_000);
        let read = read_publication(channel.clone(), position(3), time, record.into()).unwrap();
        let receipt = receipt(channel, position(3), time, unique);
        prop_assert_eq!((read.id, read.position, read.time), (receipt.id, position(3), time));
        prop_assert_eq!(&read, &publication(draft.clone(), position(3), time, unique));
        let Draft { name, reference, tags, from, data, .. } = draft;
        let said = (read.name, read.reference, read.tags, read.from, read.data);
        prop_assert_eq!(said, (name, reference, tags, from, data));
    }

    #[test]
    fn anything_else_is_no_record(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let channel = ChannelName::parse("a").unwrap();
        let _ = read_publication(channel, position(1), UnixMillis(0), bytes.clone().into());
        let _ = read_member(bytes.into());
    }

    #[test]
    fn a_member_comes_back(client in any::<u64>(), user in proptest::option::of("[a-z]{1,9}")) {
        let user = user.and_then(|user| UserId::parse(&user));
        let info = user.as_ref().map(|_| Bytes::from_static(b"{}"));
        let member = Member { client: ClientId::new(client), user, info };
        prop_assert_eq!(read_member(write_member(&member).into()), Some(member));
    }
}
