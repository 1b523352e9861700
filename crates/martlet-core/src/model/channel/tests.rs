//! Tests of what a channel may be called.

use super::*;

#[test]
fn most_things_are_names() {
    let longest = "é".repeat(127) + "x";
    for text in ["a", "news", "room:1", "a:b:c", ":", "~.%*/?#", "猫", "🐦", "*", &longest] {
        let name = ChannelName::parse(text).unwrap();
        assert_eq!((name.as_str(), name.to_string().as_str()), (text, text));
    }
}

#[test]
fn what_breaks_lines_hides_or_turns_text_round_is_not() {
    assert_eq!(ChannelName::parse(""), Err(ChannelNameError::Empty));
    let long = "é".repeat(128);
    assert_eq!(ChannelName::parse(&long), Err(ChannelNameError::Long(256)));
    for c in "\0\n\r\t \u{7f}\u{85}\u{a0}\u{200b}\u{200f}\u{2028}\u{2029}\u{202e}\u{2066}\u{3000}\u{feff}\u{61c}\u{ad}\u{2060}\u{e0041}\u{3164}".chars() {
        let found = ChannelName::parse(&format!("a{c}b"));
        assert_eq!(found, Err(ChannelNameError::Character), "{c:?}");
    }
}

#[test]
fn the_namespace_is_before_the_first_colon() {
    let namespace = |text| ChannelName::parse(text).unwrap().namespace().map(str::to_owned);
    assert_eq!(namespace("news"), None);
    assert_eq!(namespace("room:1:2").as_deref(), Some("room"));
    assert_eq!(namespace(":1").as_deref(), Some(""));
}

#[test]
fn names_are_compared_byte_by_byte() {
    let name = |text| ChannelName::parse(text).unwrap();
    assert_ne!(name("News"), name("news"));
    assert_ne!(name("\u{e9}"), name("e\u{301}"), "the same to the eye");
}
