//! Tests of durations, sizes and the nearest name.

use std::time::Duration;

use crate::config::nearest;
use crate::config::quantity::{parse_duration, parse_size, write_duration, write_size};

#[test]
fn durations_are_read_with_their_units() {
    let good = [
        ("25s", 25_000),
        ("500ms", 500),
        ("10m", 600_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        (" 0s ", 0),
    ];
    for (text, ms) in good {
        assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
    }
    let bad = [
        "",
        "25",
        "s",
        "25x",
        "-1s",
        "1.5h",
        "30m1h",
        "5s5s",
        "1h30",
        "99999999999999999999s",
        "999999999d",
        "1 s s",
        "٣s",
    ];
    for text in bad {
        assert_eq!(parse_duration(text), None, "{text}");
    }
}

#[test]
fn sizes_are_read_with_their_units() {
    let good =
        [("64KiB", 65_536), ("1MiB", 1 << 20), ("1 GiB", 1 << 30), ("512B", 512), ("5kB", 5_000)];
    for (text, bytes) in good {
        assert_eq!(parse_size(text), Some(bytes), "{text}");
    }
    for text in ["", "64", "KiB", "64kib", "1.5MiB", "-1B", "99999999999GiB", "1MiB1KiB"] {
        assert_eq!(parse_size(text), None, "{text}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    for ms in [0, 1, 999, 1_000, 90_000, 3_600_000, 86_400_000, 5_400_001] {
        let duration = Duration::from_millis(ms);
        assert_eq!(parse_duration(&write_duration(duration)), Some(duration), "{ms}");
    }
    for bytes in [0, 1, 1_023, 1_024, 60 * 1_024, 1 << 20, (1 << 20) + 1] {
        assert_eq!(parse_size(&write_size(bytes)), Some(bytes), "{bytes}");
    }
    assert_eq!(write_duration(Duration::from_secs(3_600)), "1h");
    assert_eq!(write_duration(Duration::from_secs(90)), "1m30s");
    assert_eq!(write_size(60 * 1_024), "60KiB");
}

#[test]
fn the_nearest_name_is_found_and_a_far_one_is_not() {
    let names = ["listen", "workers", "origins", "tls", "history_size"];
    let cases = [
        ("lisen", Some("listen")),
        ("lsiten", Some("listen")),
        ("Listen", Some("listen")),
        ("worker", Some("workers")),
        ("history-size", Some("history_size")),
        ("history", Some("history_size")),
        ("tsl", Some("tls")),
        ("banana", None),
        ("x", None),
        ("", None),
    ];
    for (wrong, expected) in cases {
        assert_eq!(nearest(wrong, names), expected, "{wrong}");
    }
}
