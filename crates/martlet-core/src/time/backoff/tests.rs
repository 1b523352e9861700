//! Tests of the waits between tries.

use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_ceiling_doubles_up_to_the_longest_wait() {
    let mut backoff = Backoff::new(100 * MS, 1_000 * MS);
    let longest: Vec<_> = (0..6).map(|_| backoff.next(u64::MAX).as_millis()).collect();
    assert_eq!(longest, [200, 400, 800, 1_000, 1_000, 1_000]);
    backoff.reset();
    assert_eq!(backoff.next(u64::MAX), 200 * MS);
}

#[test]
fn any_wait_between_is_as_likely() {
    let mut backoff = Backoff::new(100 * MS, 100_000 * MS);
    assert_eq!(backoff.next(0), 100 * MS);
    backoff.reset();
    let half = backoff.next(u64::MAX / 2);
    assert!((149 * MS..=151 * MS).contains(&half), "{half:?}");
}

#[test]
fn no_wait_is_zero_and_none_is_too_long() {
    for (min, max) in [(0, 0), (0, 50), (7, 3), (5, 5), (1, u64::MAX)] {
        let mut backoff = Backoff::new(Duration::from_millis(min), Duration::from_millis(max));
        for random in [0, 1, u64::MAX / 3, u64::MAX].into_iter().cycle().take(200) {
            let wait = backoff.next(random);
            assert!(wait >= MS && wait >= Duration::from_millis(min));
            assert!(wait <= Duration::from_millis(max.max(min).max(1)), "{wait:?}");
        }
    }
}
