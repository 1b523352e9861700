//! Random bits from the operating system, for keys, names, seeds and times that are spread out.

use std::time::Duration;

/// Fills as many bytes as are wanted.
///
/// # Panics
/// If the operating system has no randomness: nothing that follows would be safe.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// 64 random bits.
pub fn bits() -> u64 {
    u64::from_le_bytes(bytes())
}

/// Some time in the `spread` after `least`, so that those who are told it do not come all at once.
pub fn time(least: Duration, spread: Duration) -> Duration {
    least + spread.mul_f64(bits() as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spread_over_all_that_is_allowed() {
        let (least, spread) = (Duration::from_secs(2), Duration::from_secs(3));
        let times: Vec<_> = (0..1_000).map(|_| time(least, spread)).collect();
        assert!(times.iter().all(|it| (least..=least + spread).contains(it)));
        for tenth in 0..10 {
            let from = least + spread * tenth / 10;
            let here = times.iter().filter(|it| (from..from + spread / 10).contains(*it)).count();
            assert!((30..300).contains(&here), "{here} of them from {from:?}");
        }
    }
}
