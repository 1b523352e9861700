//! Lives many worlds, each from its own seed. `MARTLET_SEED=0x5eed cargo test -p martlet-sim
//! promises -- --nocapture` lives one and tells everything; `MARTLET_SEEDS=100000` lives so many.
//! Seeds in `seeds.txt` once failed and are lived first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use martlet_sim::world::{Failure, Life, Telling, live, tell};

/// How many worlds are lived unless the environment says otherwise.
const SEEDS: usize = 2_000;

/// The worlds after the kept ones are numbered from here.
const FIRST: u64 = 1;

#[test]
fn promises_hold_in_every_world() {
    if let Some(seed) = variable("MARTLET_SEED") {
        return replay(seed);
    }
    let mut seeds = kept();
    let count = variable("MARTLET_SEEDS").map_or(SEEDS, |count| count as usize);
    seeds.extend((FIRST..).take(count));
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| live_some(&seeds, &next, &failed));
        }
    });
    if let Some(seed) = seeds.get(failed.load(Ordering::Relaxed)) {
        fail(*seed);
    }
}

#[test]
fn a_seed_lives_the_same_life_again() {
    for seed in [1, 77, 0x5eed] {
        assert_eq!(attempt(seed, Telling::Nothing).unwrap(), attempt(seed, Telling::Last).unwrap());
    }
}

/// Lives worlds until there are no more or one has failed; remembers the first that did.
fn live_some(seeds: &[u64], next: &AtomicUsize, failed: &AtomicUsize) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(seed) = seeds.get(index) else { return };
        if failed.load(Ordering::Relaxed) < index {
            return;
        }
        if attempt(*seed, Telling::Nothing).is_err() {
            failed.fetch_min(index, Ordering::Relaxed);
        }
    }
}

/// Lives one world; a panic is a failure like any other.
fn attempt(seed: u64, telling: Telling) -> Result<Life, Failure> {
    let lived = catch_unwind(AssertUnwindSafe(|| live(seed, telling)));
    lived.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let why = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        let why = format!("it panicked: {}", why.unwrap_or_default());
        Err(Failure { seed, at: Default::default(), why, log: Vec::new() })
    })
}

/// Lives the world again, writing down what happens, and tells how it failed.
fn fail(seed: u64) {
    let failure = attempt(seed, Telling::Last).expect_err("a seed lives the same life again");
    let Failure { at, why, log, .. } = failure;
    let log = log.join("\n");
    let at = at.0 as f64 / 1e6;
    panic!(
        "{log}\n\nseed {seed:#x} failed after {at} s: {why}\n\
         replay it with MARTLET_SEED={seed:#x}; keep it in crates/martlet-sim/seeds.txt"
    );
}

/// Lives one world and tells everything that happens in it.
#[allow(clippy::print_stdout, reason = "somebody asked to read it")]
fn replay(seed: u64) {
    let (log, lived) = tell(seed);
    println!("{}", log.join("\n"));
    match lived {
        Ok(life) => println!("seed {seed:#x}: {life:?}"),
        Err(failure) => panic!("seed {seed:#x} failed: {}", failure.why),
    }
}

/// The seeds that once failed: one on a line, `#` before a remark.
fn kept() -> Vec<u64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds.txt");
    let text = std::fs::read_to_string(path).expect("seeds.txt is in the tree");
    let words = text.lines().filter_map(|line| line.split('#').next()).map(str::trim);
    words.filter(|word| !word.is_empty()).map(|word| number(word).expect("a seed")).collect()
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(number(&text).unwrap_or_else(|| panic!("{name} is a number, such as 0x5eed")))
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
