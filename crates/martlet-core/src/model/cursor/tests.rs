//! Tests of the cursor's text.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

fn at(offset: Offset) -> Position {
    Position { epoch: Epoch::new(7), offset }
}

#[test]
fn is_offset_epoch_and_channel_for_each() {
    let cursor = Cursor::new(vec![(name("news"), at(42)), (name("room:1"), at(0))]);
    assert_eq!(cursor.to_string(), "42.00000007.news~0.00000007.room:1");
    assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor.clone()));
    assert_eq!(cursor.position(&name("room:1")), Some(at(0)));
    assert_eq!(cursor.position(&name("other")), None);
}

#[test]
fn what_means_something_in_a_url_or_here_is_escaped() {
    for (channel, text) in [
        ("a.b", "1.00000007.a%2eb"),
        ("a~b", "1.00000007.a%7eb"),
        ("a%b", "1.00000007.a%25b"),
        ("a/b?c=d&e#f+g", "1.00000007.a%2fb%3fc%3dd%26e%23f%2bg"),
        ("é", "1.00000007.%c3%a9"),
        ("-_:", "1.00000007.-_:"),
    ] {
        let cursor = Cursor::new(vec![(name(channel), at(1))]);
        assert_eq!(cursor.to_string(), text);
        assert_eq!(Cursor::parse(text), Ok(cursor));
    }
}

#[test]
fn is_read_generously_where_nothing_is_in_doubt() {
    assert_eq!(Cursor::parse(""), Ok(Cursor::default()));
    let one = Cursor::new(vec![(name("a.b"), at(1))]);
    for text in ["1.00000007.a%2Eb", "1.00000007.a.b", "~~1.00000007.a.b~", "001.00000007.a.b"] {
        assert_eq!(Cursor::parse(text), Ok(one.clone()), "{text}");
    }
    let twice = Cursor::parse("1.00000007.a~2.00000007.a").unwrap();
    assert_eq!(twice.position(&name("a")), Some(at(2)), "the last one counts");
    let farthest = Cursor::parse(&format!("{}.00000007.a", u64::MAX)).unwrap();
    assert_eq!(farthest.position(&name("a")), Some(at(u64::MAX)));
}

#[test]
fn what_is_no_cursor_is_refused_by_its_part() {
    for part in [
        "a",
        "1",
        "1.00000007",
        "1.00000007.",
        ".00000007.a",
        "+1.00000007.a",
        "-1.00000007.a",
        " 1.00000007.a",
        "1x.00000007.a",
        "18446744073709551616.00000007.a",
        "1.0000007.a",
        "1.0000000i.a",
        "1.00000007.a%",
        "1.00000007.a%2",
        "1.00000007.a%+1",
        "1.00000007.a%-1",
        "1.00000007.a%zz",
        "1.00000007.%ff",
        "1.00000007.a%00",
        "1.00000007.a%0a",
        "1.00000007.a b",
    ] {
        assert_eq!(Cursor::parse(part), Err(CursorError::Part(1)), "{part:?}");
        let second = format!("1.00000007.a~{part}");
        assert_eq!(Cursor::parse(&second), Err(CursorError::Part(2)), "{part:?}");
    }
    let long = "1.00000007.a~".repeat(CURSOR_BYTES_MAX / 13 + 1);
    assert_eq!(Cursor::parse(&long), Err(CursorError::Long));
    let long_name = format!("1.00000007.{}", "a".repeat(256));
    assert_eq!(Cursor::parse(&long_name), Err(CursorError::Part(1)));
}

proptest! {
    #[test]
    fn comes_back_and_is_plain(
        positions in prop::collection::vec(
            ("[^\\s\\p{C}\u{200b}-\u{200f}\u{115f}\u{1160}\u{3164}\u{ffa0}]{1,20}", any::<u64>(), any::<u64>()),
            0..10,
        ),
    ) {
        let positions = positions.into_iter().filter_map(|(channel, epoch, offset)| {
            let channel = ChannelName::parse(&channel).ok()?;
            Some((channel, Position { epoch: Epoch::new(epoch), offset }))
        });
        let cursor = Cursor::new(positions.collect());
        let text = cursor.to_string();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".~%-_:".contains(&b);
        prop_assert!(text.bytes().all(plain), "{text}");
        prop_assert_eq!(Cursor::parse(&text), Ok(cursor));
    }

    #[test]
    fn hostile_text_does_no_harm(text in "[0-9a-z.~%+é\u{0}]{0,60}|.{0,60}") {
        if let Ok(cursor) = Cursor::parse(&text) {
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        }
    }
}
