//! Which module of the core may use which.

use super::sources::under;

/// The modules, each of which may use those before it.
const RANKS: [&str; 8] = ["model", "time", "stream", "presence", "port", "session", "hub", "crowd"];

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|ranked| *ranked == module)
}

/// The modules of the crate that a line of code names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().expect("split gives one")
    })
}

#[test]
fn a_module_uses_only_those_before_it() {
    for source in under(&["crates/martlet-core/src"]) {
        let inside = source.path.trim_start_matches("crates/martlet-core/src/");
        let module = inside.split('/').next().expect("split gives one").trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = rank(module).unwrap_or_else(|| panic!("{module} has no rank: give it one"));
        for (number, line) in source.code() {
            for used in named(line) {
                let used_rank = rank(used);
                assert!(
                    used_rank.is_some_and(|used| used <= own),
                    "{}:{number}: {module} may not use crate::{used}",
                    source.path,
                );
            }
        }
    }
}

#[test]
fn the_order_is_the_one_that_the_crate_announces() {
    let sources = under(&["crates/martlet-core/src"]);
    let lib = sources.iter().find(|source| source.path.ends_with("src/lib.rs")).unwrap();
    assert!(lib.text.contains(&RANKS.join(" < ")), "lib.rs says {}", RANKS.join(" < "));
}

#[test]
fn names_are_found_in_a_line() {
    let line = "use crate::{hub}; fn f(a: crate::time::Now, b: crate::model::Gap) {";
    assert_eq!(named(line).collect::<Vec<_>>(), ["", "time", "model"]);
}
