//! Tests of epochs.

use super::*;

#[test]
fn an_epoch_is_eight_digits() {
    let epoch = Epoch::new(u64::MAX);
    assert_eq!((epoch.to_string().as_str(), epoch.bits()), ("zzzzzzzz", (1 << 40) - 1));
    assert_eq!(Epoch::parse("zzzzzzzz"), Some(epoch));
    assert_eq!(Epoch::new(1).to_string(), "00000001");
    for text in ["", "1", "000000001", "0000000", "0000000i", "0000000é"] {
        assert_eq!(Epoch::parse(text), None, "{text:?}");
    }
}
