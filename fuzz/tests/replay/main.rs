//! Runs every target on its kept inputs and on mutations of them, and weighs the memory it takes.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot fail may end it")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use martlet_fuzz::corpus::{self, Kept};
use martlet_fuzz::mutator::Mutator;
use martlet_fuzz::targets::{TARGETS, Target};

mod scales;

/// How many mutations of each target are run unless the environment says otherwise.
const ROUNDS: u64 = 3_000;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text:?}")),
        Err(_) => default,
    }
}

/// Runs a target once. An input that breaks it is written down before the test fails.
fn run(target: &Target, name: &str, input: &[u8]) {
    let (ended, held) = scales::weigh(|| catch_unwind(AssertUnwindSafe(|| (target.run)(input))));
    let (fixed, each) = target.memory;
    let allowed = fixed + each * input.len();
    if ended.is_ok() && held <= allowed {
        return;
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", target.name));
    std::fs::write(&path, input).unwrap();
    let what = if ended.is_ok() {
        format!("held {held} bytes of memory, {allowed} are allowed")
    } else {
        "panicked".into()
    };
    panic!("{} {what} with the {} bytes of {}", target.name, input.len(), path.display());
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let kept = corpus::of(name).unwrap();
    assert!(!kept.is_empty(), "there are no inputs for {name}");
    kept.iter().for_each(|Kept { name, bytes }| run(target, name, bytes));
    let inputs: Vec<&[u8]> = kept.iter().map(|kept| &*kept.bytes).collect();
    let mut mutator = Mutator::new(setting("MARTLET_FUZZ_SEED", 1));
    for round in 0..setting("MARTLET_FUZZ_ROUNDS", ROUNDS) {
        let input = mutator.make(&inputs, target.words);
        run(target, &format!("round-{round}"), &input);
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test] fn $name() { replay(stringify!($name)); })*

        #[test]
        fn every_target_is_run_and_every_input_has_a_target() {
            let mut run = vec![$(stringify!($name)),*];
            let mut targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            let directories = std::fs::read_dir(corpus::root()).unwrap();
            let mut kept: Vec<String> = directories
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            run.sort_unstable();
            targets.sort_unstable();
            kept.sort_unstable();
            assert_eq!(run, targets);
            assert_eq!(kept, targets);
        }
    };
}

replays! {
    json_command json_event proto_command proto_event plain_query cursor channel grant token claims
    key_set config transcript websocket http1_head http1_chunks event_stream conversation
}

#[test]
fn mutations_are_the_same_every_time_and_bounded() {
    let inputs: [&[u8]; 2] = [b"{\"id\":1}", b""];
    let make = |seed| {
        let mut mutator = Mutator::new(seed);
        (0..500).map(|_| mutator.make(&inputs, &["word"])).collect::<Vec<_>>()
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    assert!(make(3).iter().all(|input| input.len() <= martlet_fuzz::mutator::BYTES_MAX));
}

#[test]
fn the_scales_see_what_is_held_at_once() {
    let (_, held) = scales::weigh(|| {
        drop(vec![0_u8; 100_000]);
        vec![0_u8; 50_000]
    });
    assert!((100_000..110_000).contains(&held), "{held}");
}
