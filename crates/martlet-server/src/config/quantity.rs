//! Durations and sizes as people write them: `25s`, `1h30m`, `64KiB`.

use std::time::Duration;

/// Units of time and their milliseconds, largest first.
const TIMES: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size and their bytes. The first ones are those we write.
const SIZES: [(&str, usize); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

/// No duration of a configuration is longer than this; it keeps sums of times from overflowing.
const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads one or more numbers with units, the largest unit first: `25s`, `1h30m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut units) = (text.trim(), 0u64, TIMES.iter());
    while !rest.is_empty() {
        let (number, unit, after) = next_part(rest)?;
        let (_, ms) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*ms)?)?;
        rest = after;
    }
    let duration = Duration::from_millis(total);
    (!text.trim().is_empty() && duration <= DURATION_MAX).then_some(duration)
}

/// Reads a number with a unit: `64KiB`, `1 MiB`, `512B`.
pub fn parse_size(text: &str) -> Option<usize> {
    let (number, unit, rest) = next_part(text.trim())?;
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    let total = usize::try_from(number).ok()?.checked_mul(*bytes)?;
    rest.is_empty().then_some(total)
}

/// Splits a number and its unit off the beginning of `text`.
fn next_part(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    Some((number.parse().ok()?, unit, rest.trim_start()))
}

/// Writes a duration so that [`parse_duration`] reads it back; to the millisecond.
pub fn write_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".into();
    }
    let (mut rest, mut text) = (ms, String::new());
    for (unit, size) in TIMES.iter().skip(1) {
        if rest >= *size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    text
}

/// Writes a size in the largest unit that divides it.
pub fn write_size(bytes: usize) -> String {
    let (unit, size) = SIZES[..4]
        .iter()
        .find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size))
        .unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / size)
}
