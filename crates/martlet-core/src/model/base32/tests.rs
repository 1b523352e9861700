//! Tests of base 32.

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_no_number_is_refused() {
    let long = "0".repeat(27);
    for text in ["", "i", "l", "o", "u", "A", "-", "é", "0 ", "8zzzzzzzzzzzzzzzzzzzzzzzzz", &long]
    {
        assert_eq!(decode(text), None, "{text:?}");
    }
    assert_eq!(decode("7zzzzzzzzzzzzzzzzzzzzzzzzz"), Some(u128::MAX));
    assert_eq!((encode(31, 2), decode("0z")), ("0z".into(), Some(31)));
}

proptest! {
    #[test]
    fn comes_back_and_sorts_like_the_number(a in any::<u128>(), b in any::<u128>()) {
        let (text_a, text_b) = (encode(a, 26), encode(b, 26));
        prop_assert_eq!(decode(&text_a), Some(a));
        prop_assert_eq!(text_a.cmp(&text_b), a.cmp(&b));
    }

    #[test]
    fn never_panics(text in ".*") {
        decode(&text);
    }
}
