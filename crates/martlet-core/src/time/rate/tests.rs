//! Tests of the rate limit.

use proptest::prelude::*;

use super::*;

#[test]
fn a_burst_and_then_the_rate() {
    let mut rate = Rate::default();
    let mut now = Instant(5_000_000);
    for _ in 0..3 {
        assert_eq!(rate.take(now, 10, 3), Ok(()));
    }
    assert_eq!(rate.take(now, 10, 3), Err(Duration::from_millis(100)));
    now = now.after(Duration::from_millis(60));
    assert_eq!(rate.take(now, 10, 3), Err(Duration::from_millis(40)), "refusals cost nothing");
    now = now.after(Duration::from_millis(40));
    assert_eq!(rate.take(now, 10, 3), Ok(()));
    assert!(!rate.whole(now));
    assert!(rate.whole(now.after(Duration::from_millis(300))));
}

#[test]
fn no_rate_is_no_limit_and_no_burst_is_one() {
    let mut rate = Rate::default();
    assert!((0..1_000).all(|_| rate.take(Instant(1), 0, 0).is_ok()));
    assert_eq!(rate.take(Instant(1), 1, 0), Ok(()));
    assert_eq!(rate.take(Instant(1), 1, 0), Err(Duration::from_secs(1)));
}

proptest! {
    /// Over any stretch of time no more is taken than the burst and the rate allow, and whoever
    /// waits as long as it was told is not refused again.
    #[test]
    fn keeps_to_the_rate_and_its_word(
        per_second in prop_oneof![1u32..50, 1u32..3_000_000],
        burst in 0u32..50,
        pauses in prop::collection::vec(prop_oneof![3 => Just(0), 1 => 0u64..200_000], 1..200),
    ) {
        let (mut rate, mut now, mut taken) = (Rate::default(), Instant(0), 0u64);
        for pause in pauses {
            now = now.after(Duration::from_micros(pause));
            match rate.take(now, per_second, burst) {
                Ok(()) => taken += 1,
                Err(wait) => {
                    prop_assert!(wait > Duration::ZERO);
                    now = now.after(wait);
                    prop_assert_eq!(rate.take(now, per_second, burst), Ok(()));
                    taken += 1;
                }
            }
            let allowed = now.0.saturating_mul(per_second.into()) / 1_000_000;
            prop_assert!(taken <= allowed + u64::from(burst.max(1)), "{taken} by {now:?}");
        }
    }
}
