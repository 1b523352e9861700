//! What pure code may not touch: clocks, randomness, locks, threads, files, sockets, runtimes.

use super::crates::cargo;
use super::sources::compiled_under;

/// What reaches out of a function to the world.
const WORLDLY: &[&str] = &[
    "tokio",
    "mio::",
    "async fn",
    ".await",
    "Instant::now",
    "std::time::Instant",
    "SystemTime",
    "rand::",
    "getrandom",
    "RandomState",
    "Mutex",
    "RwLock",
    "Condvar",
    "std::sync::atomic",
    "thread_local!",
    "std::thread",
    "std::net",
    "std::fs",
    "std::env",
    "std::io::stdin",
    "std::process",
    "println!",
    "tracing::",
];

/// Crates that do.
const WORLDLY_CRATES: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "async-std",
    "smol",
    "getrandom",
    "rand",
    "rand_core",
    "parking_lot",
    "chrono",
    "time",
    "tracing",
    "log",
];

#[test]
fn pure_code_does_not_reach_out() {
    for source in compiled_under(&["crates/martlet-core/src", "crates/martlet-protocol/src"]) {
        for (number, line) in source.code() {
            for word in WORLDLY {
                assert!(!line.contains(word), "{}:{number} has {word}", source.path);
            }
        }
    }
}

#[test]
fn nor_does_what_it_is_made_of() {
    for name in ["martlet-core", "martlet-protocol"] {
        let tree = cargo(&["tree", "-p", name, "-e", "normal", "--prefix", "none"]);
        let crates: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(crates.contains(&"bytes"), "the tree was read");
        for worldly in WORLDLY_CRATES {
            assert!(!crates.contains(worldly), "{name} depends on {worldly}");
        }
    }
}

#[test]
fn unit_tests_are_left_out_and_nothing_else_is() {
    let sources = compiled_under(&["crates/martlet-core/src"]);
    let has =
        |path: &str| sources.iter().any(|s| s.path == format!("crates/martlet-core/src/{path}"));
    assert!(has("lib.rs") && has("hub/lane.rs") && has("hub/lane/visit.rs"));
    assert!(!has("hub/lane/tests.rs") && !has("hub/lane/tests/bench.rs"));
}
