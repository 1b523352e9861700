//! Tests of API keys.

use super::*;

fn keys() -> ApiKeys {
    let key = |name: &str, key: &str, scopes: &[Scope]| ApiKey {
        name: name.into(),
        hash: KeyHash::of(key),
        scopes: scopes.to_vec(),
    };
    ApiKeys::Keys(vec![
        key("backend", "mk_backend", &[Scope::All]),
        key("feed", "mk_feed", &[Scope::Publish, Scope::Read]),
    ])
}

fn code(result: Result<&str, Refusal>) -> Code {
    result.expect_err("this key was to be refused").code
}

#[test]
fn a_key_permits_its_scopes() {
    let keys = keys();
    for scope in [Scope::Publish, Scope::Read, Scope::Sessions, Scope::All] {
        assert_eq!(keys.admit(Some("mk_backend"), scope), Ok("backend"));
    }
    assert_eq!(keys.admit(Some("mk_feed"), Scope::Publish), Ok("feed"));
    assert_eq!(keys.admit(Some("mk_feed"), Scope::Read), Ok("feed"));
    let refusal = keys.admit(Some("mk_feed"), Scope::Sessions).unwrap_err();
    assert_eq!(refusal.code, Code::KeyNotAllowed);
    assert_eq!(refusal.detail.as_deref(), Some("the key feed lacks the scope sessions"));
}

#[test]
fn other_keys_are_refused() {
    let keys = keys();
    let hash = KeyHash::of("mk_backend").to_string();
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    for wrong in ["", "mk_backen", "mk_backend ", "MK_BACKEND", "backend", &hash, &long] {
        assert_eq!(code(keys.admit(Some(wrong), Scope::Read)), Code::KeyInvalid, "{wrong}");
    }
    assert_eq!(code(keys.admit(None, Scope::Read)), Code::KeyInvalid);
    let none = ApiKeys::Keys(Vec::new());
    assert_eq!(code(none.admit(Some("mk_backend"), Scope::Read)), Code::KeyInvalid);
}

#[test]
fn development_mode_needs_no_key() {
    assert_eq!(ApiKeys::Open.admit(None, Scope::All), Ok(""));
}

#[test]
fn a_hash_is_the_sha256_in_hexadecimal() {
    let hash = KeyHash::of("abc");
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash.to_string(), text);
    assert_eq!(KeyHash::parse(text), Some(hash));
    assert_eq!(KeyHash::parse(&text.to_uppercase()), Some(hash));
    let plus = format!("+{}", &text[1..]);
    let wide = "é".repeat(32);
    for wrong in ["", "ba78", &text[1..], &format!("{text}0"), &plus, &wide, &"g".repeat(64)] {
        assert_eq!(KeyHash::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn new_keys_are_long_and_never_the_same() {
    let (one, two) = (new_key().unwrap(), new_key().unwrap());
    assert_ne!(one, two);
    assert!(one.starts_with("mk_") && one.len() == 46, "{one}");
    assert_eq!(new_secret().unwrap().len(), 43);
}
