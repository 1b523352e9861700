//! Tests of grants: good ones, forged ones, garbage.

use proptest::prelude::*;

use super::*;

fn grant() -> Grant {
    let room = ChannelName::parse("room:1").unwrap();
    let rules = vec![
        (Pattern::parse("room:*").unwrap(), Verbs::READ),
        (Pattern::Exact(ChannelName::parse("star*").unwrap()), Verbs::ALL),
    ];
    Grant {
        client: ClientId::new(7),
        issued: UnixMillis(1_000),
        expires: UnixMillis(2_000),
        identity: Identity {
            user: UserId::parse("änn"),
            expires: Some(UnixMillis(9_000)),
            channels: vec![ChannelName::parse("user:änn").unwrap()],
            permissions: Permissions::new(rules).unwrap(),
            info: Some(Bytes::from_static(b"{\"name\":\"Ann\"}")),
        },
        channels: vec![ChannelGrant { channel: room, verbs: Verbs::ALL, expires: None }],
    }
}

#[test]
fn says_what_was_signed_until_it_ends() {
    let key = GrantKey::new(b"secret");
    let text = key.sign(&grant());
    assert_eq!(key.verify(UnixMillis(1_999), &text), Ok(grant()));
    assert_eq!(key.verify(UnixMillis(2_000), &text), Err(GrantError::Expired));
}

#[test]
fn another_key_or_any_changed_character_is_refused() {
    let key = GrantKey::new(b"secret");
    let text = key.sign(&grant());
    assert_eq!(GrantKey::new(b"other").verify(UnixMillis(0), &text), Err(GrantError::Invalid));
    for i in 0..text.len() {
        let mut forged = text.to_string().into_bytes();
        forged[i] = if forged[i] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(key.verify(UnixMillis(0), &forged), Err(GrantError::Invalid), "{i}");
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panic(text in "\\PC*", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = GrantKey::new(b"secret");
        prop_assert_eq!(key.verify(UnixMillis(0), &text), Err(GrantError::Invalid));
        let _ = read(&bytes);
        let body = URL_SAFE_NO_PAD.encode(&bytes);
        let mac = URL_SAFE_NO_PAD.encode(key.0.clone().chain_update(&body).finalize().into_bytes());
        let _ = key.verify(UnixMillis(0), &format!("g1.{body}.{mac}"));
    }
}
