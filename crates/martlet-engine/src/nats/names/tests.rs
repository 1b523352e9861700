use std::collections::BTreeSet;

use super::*;

#[test]
fn names_become_one_token_each() {
    let names = ["a", "A", "a.b", "a=2eb", "*", ">", "$G", "ä*>.", "x:y/z", "日本", "a-b_c"];
    let tokens: BTreeSet<_> = names.iter().map(|name| token(name)).collect();
    assert_eq!(tokens.len(), names.len());
    for name in names {
        let token = token(name);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b)), "{token}");
    }
}

#[test]
fn times_are_read() {
    assert_eq!(time("1970-01-01T00:00:00Z"), Some(UnixMillis(0)));
    assert_eq!(time("2026-11-27T18:25:14.512086274Z"), Some(UnixMillis(1_795_803_914_512)));
    assert_eq!(time("2024-02-29T23:59:59.5Z"), Some(UnixMillis(1_709_251_199_500)));
    assert_eq!(time("yesterday"), None);
}

#[test]
fn a_life_comes_back() {
    let life = Life { id: (1 << 40) - 1, trusted: UnixMillis(1_795_803_914_512) };
    assert_eq!(Life::parse(&life.token()), Some(life));
    assert_eq!(Life::parse("short"), None);
}
