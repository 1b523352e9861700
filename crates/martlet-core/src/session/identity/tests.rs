//! Tests of verbs, patterns and permissions.

use super::*;

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn rule(pattern: &str, verbs: &[Verb]) -> (Pattern, Verbs) {
    (Pattern::parse(pattern).unwrap(), verbs.iter().copied().collect())
}

#[test]
fn verbs_have_words_and_bits() {
    for verb in Verb::ALL {
        assert_eq!(Verb::parse(verb.name()), Some(verb));
        let set: Verbs = [verb].into_iter().collect();
        assert_eq!(Verbs::from_bits(set.bits()), Some(set));
        assert_eq!(set.iter().collect::<Vec<_>>(), [verb]);
    }
    assert_eq!(Verb::ALL.into_iter().collect::<Verbs>(), Verbs::ALL);
    assert_eq!(Verb::parse("Publish"), None);
    assert_eq!(Verbs::from_bits(16), None);
    assert_eq!(Verbs::READ.to_string(), "subscribe, history, presence");
}

#[test]
fn a_pattern_is_a_name_or_a_beginning() {
    let cases = [
        ("news", "news", true),
        ("news", "news2", false),
        ("news", "News", false),
        ("room:*", "room:1", true),
        ("room:*", "room", false),
        ("room:*", "rooms:1", false),
        ("*", "anything", true),
        ("a*b", "a*b", true),
        ("a*b", "axb", false),
    ];
    for (pattern, name, expected) in cases {
        let found = Pattern::parse(pattern).unwrap().matches(&channel(name));
        assert_eq!(found, expected, "{pattern} and {name}");
        assert_eq!(Pattern::parse(pattern).unwrap().to_string(), pattern);
    }
    for wrong in ["", "a b", "a b*", "\n*"] {
        assert!(Pattern::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn rules_add_up_and_nothing_else_is_permitted() {
    let rules = vec![rule("room:*", &[Verb::Subscribe]), rule("room:1", &[Verb::Publish])];
    let permissions = Permissions::new(rules).unwrap();
    assert!(permissions.allows(&channel("room:1"), Verb::Subscribe));
    assert!(permissions.allows(&channel("room:1"), Verb::Publish));
    assert!(!permissions.allows(&channel("room:2"), Verb::Publish));
    assert!(!permissions.allows(&channel("room:1"), Verb::History));
    assert!(!Permissions::default().allows(&channel("room:1"), Verb::Subscribe));
}

#[test]
fn the_list_of_rules_is_short() {
    let rules = vec![rule("*", &Verb::ALL); Permissions::RULES_MAX + 1];
    assert_eq!(Permissions::new(rules), Err(TooManyRules(129)));
}

#[test]
fn a_channel_named_by_the_token_may_be_followed_and_no_more() {
    let identity = Identity { channels: vec![channel("inbox")], ..Identity::default() };
    assert!(identity.allows(&channel("inbox"), Verb::Subscribe));
    assert!(!identity.allows(&channel("inbox"), Verb::History));
    assert!(!identity.allows(&channel("other"), Verb::Subscribe));
}
