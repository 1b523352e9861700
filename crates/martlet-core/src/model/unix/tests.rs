//! Tests of wall-clock time at the ends of time.

use super::*;

#[test]
fn sums_and_differences_stop_at_the_ends() {
    assert_eq!(UnixMillis(5).plus_ms(7), UnixMillis(12));
    assert_eq!(UnixMillis(5).plus_ms(u64::MAX), UnixMillis(u64::MAX));
    assert_eq!(UnixMillis(5).minus_ms(7), UnixMillis(0));
    assert_eq!(UnixMillis(1_700_000_000_000).to_string(), "1700000000000");
}
