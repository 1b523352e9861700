//! How files and functions look: each file says what it is, none is too long to be read.

use super::sources::{Source, under};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 60;

/// Files that are longer, and why.
const LONG_FILES: &[(&str, &str)] = &[
    ("crates/martlet-client/src/session.rs", "one machine, whose parts already have files"),
    ("crates/martlet-protocol/src/native/proto/messages.rs", "generated from proto/martlet.proto"),
    ("crates/martlet-transport/src/front/tests.rs", "one list of requests and their answers"),
];

/// Files with a function that is longer, and why.
const LONG_FUNCTIONS: &[(&str, &str)] =
    &[("crates/martlet-server/tests/hostile/identity.rs", "one story against one running node")];

fn all() -> Vec<Source> {
    under(&["crates", "fuzz"])
}

fn listed(list: &[(&str, &str)], source: &Source) -> bool {
    list.iter().any(|(path, _)| *path == source.path)
}

/// Fails with all the files and lines that break a rule.
fn nothing_breaks(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}\n", broken.join("\n  "));
}

#[test]
fn every_file_says_what_it_is() {
    // Unit tests beside a file are said to be its tests by where they are.
    let silent = |s: &Source| !s.path.ends_with("/tests.rs") && !s.text.starts_with("//! ");
    let broken = all().into_iter().filter(silent).map(|source| source.path);
    nothing_breaks("a file begins with what it is", broken.collect());
}

#[test]
fn modules_are_named_files() {
    let broken = all().into_iter().map(|source| source.path).filter(|p| p.ends_with("/mod.rs"));
    nothing_breaks("a file is named after its module", broken.collect());
}

#[test]
fn no_file_is_too_long() {
    let broken = all().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        let long = lines > FILE_LINES_MAX && !listed(LONG_FILES, &source);
        long.then(|| format!("{} has {lines}", source.path))
    });
    nothing_breaks("a file has at most 500 lines, or a reason here", broken.collect());
}

#[test]
fn no_function_is_too_long() {
    let unlisted = all().into_iter().filter(|source| !listed(LONG_FUNCTIONS, source));
    let broken = unlisted.flat_map(|source| {
        let long = functions(&source.text).into_iter().filter(|f| f.1 > FUNCTION_LINES_MAX);
        let words = long.map(|(number, lines)| format!("{}:{number} has {lines}", source.path));
        words.collect::<Vec<_>>()
    });
    nothing_breaks("a function has at most 60 lines", broken.collect());
}

/// Where functions of formatted code begin, from 1, and how many lines they have: a function ends
/// at the first closing brace that stands as far in as it does.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (begin, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = lines[begin..].iter().position(|line| {
            let rest = line.strip_prefix(indent).unwrap_or("");
            rest.starts_with('}') || (!rest.starts_with(' ') && line.ends_with([';', '}']))
        });
        found.push((begin + 1, end.map_or(lines.len() - begin, |end| end + 1)));
    }
    found
}

fn begins_function(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| *word != "fn");
    let modifier = |word: &str| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern", "\"C\""].contains(&word)
    };
    line.split_whitespace().any(|word| word == "fn") && words.into_iter().all(modifier)
}

#[test]
fn functions_are_measured() {
    let text = "\
/// fn in words
pub(super) async fn short(&self) {
    a();
}
fn one() {}
trait T {
    fn declared(
        &self,
    ) -> u8;
    fn with_where<A>(a: A)
    where
        A: B,
    {
        let c = || {
            d();
        };
    }
}
";
    assert_eq!(functions(text), [(2, 3), (5, 1), (7, 3), (10, 8)]);
}
