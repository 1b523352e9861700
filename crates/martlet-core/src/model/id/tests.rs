//! Tests of identifiers.

use proptest::prelude::*;

use super::*;

#[test]
fn publication_ids_sort_by_time() {
    let id = |ms, unique| PublicationId::new(UnixMillis(ms), unique);
    assert!(id(1, u128::MAX) < id(2, 0));
    assert!(id(1, u128::MAX).to_string() < id(2, 0).to_string());
    assert_eq!(id(1_700_000_000_000, 0).to_string(), "01hf7yat000000000000000000");
}

#[test]
fn a_session_key_says_where_it_leads_and_shows_no_more() {
    let place = SessionPlace { node: NodeId::new(7), worker: 513, slot: 70_000 };
    let key = SessionKey::new(place, u64::MAX);
    assert_eq!((key.node(), key.worker(), key.slot()), (NodeId::new(7), 513, 70_000));
    assert_eq!(SessionKey::parse(&key.to_string()), Some(key));
    assert_eq!(format!("{key:?}"), "SessionKey(node 0000007, worker 513)");
}

#[test]
fn what_is_no_identifier_is_refused() {
    for text in ["", "0", "01hf7yat00000000000000000", "01hf7yat00000000000000000i", "zz"] {
        assert_eq!(PublicationId::parse(text), None, "{text:?}");
        assert_eq!(SessionKey::parse(text), None, "{text:?}");
    }
    assert_eq!(ClientId::parse("fzzzzzzzzzzzz"), Some(ClientId::new(u64::MAX)));
    for text in ["gzzzzzzzzzzzz", "zzzzzzzzzzzzz", "0", "", "00000000000000"] {
        assert_eq!(ClientId::parse(text), None, "{text:?}: it has 64 bits");
    }
}

#[test]
fn a_user_is_any_text_of_one_line_and_reasonable_length() {
    let longest = "u".repeat(255);
    for text in ["ann", "a b", "猫", "mailto:ann@example.org", &longest] {
        assert_eq!(UserId::parse(text).unwrap().as_str(), text);
    }
    let long = "u".repeat(256);
    for text in ["", "a\nb", "a\0", &long] {
        assert_eq!(UserId::parse(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn identifiers_come_back(
        bits in any::<u128>(), client in any::<u64>(), node in any::<u32>(),
        worker in 0_u16..1_024, slot in 0_u32..1 << 22,
    ) {
        let id = PublicationId::from_bits(bits);
        prop_assert_eq!(PublicationId::parse(&id.to_string()), Some(id));
        prop_assert_eq!(id.bits(), bits);
        let client = ClientId::new(client);
        prop_assert_eq!(ClientId::parse(&client.to_string()), Some(client));
        let node = NodeId::new(node);
        prop_assert_eq!(NodeId::parse(&node.to_string()), Some(node));
        let key = SessionKey::new(SessionPlace { node, worker, slot }, client.bits());
        prop_assert_eq!(SessionKey::parse(&key.to_string()), Some(key));
        prop_assert_eq!((key.node(), key.worker(), key.slot()), (node, worker, slot));
    }

    #[test]
    fn hostile_text_does_no_harm(text in ".{0,40}") {
        PublicationId::parse(&text);
        ClientId::parse(&text);
        SessionKey::parse(&text);
        UserId::parse(&text);
    }
}
