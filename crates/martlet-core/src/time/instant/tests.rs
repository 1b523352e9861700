//! Tests of instants at the ends of time.

use super::*;

#[test]
fn sums_and_differences_stop_at_the_ends() {
    let instant = Instant(5);
    assert_eq!(instant.after(Duration::from_micros(7)), Instant(12));
    assert_eq!(instant.after(Duration::MAX), Instant(u64::MAX));
    assert_eq!(Instant(12).since(instant), Duration::from_micros(7));
    assert_eq!(instant.since(Instant(12)), Duration::ZERO);
}
