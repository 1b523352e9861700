//! What a block is expected to write, as a pattern.

use regex::Regex;

/// The epoch that examples show.
pub const EPOCH: &str = "k3f9x2ab";

/// The pattern of an expectation, which begins where the output does.
pub fn pattern(expected: &str) -> Regex {
    let mut pattern = String::from(r"\A");
    let mut lines = expected.trim_end().lines().peekable();
    while let Some(line) = lines.next() {
        if line == "…" {
            pattern.push_str(if lines.peek().is_some() { r"(?:.*\n)*?" } else { r"(?:.*\n)*" });
            continue;
        }
        let pieces: Vec<_> = line.split('…').map(regex::escape).collect();
        pattern.push_str(&pieces.join(".*").replace(EPOCH, "[0-9a-z]{8}"));
        pattern.push_str(r"[ \t]*\n");
    }
    Regex::new(&pattern).unwrap()
}

/// How much of `output` is what is expected, from its beginning; `None` if it is not, or not yet.
pub fn matched(expected: &str, output: &str) -> Option<usize> {
    // A last line that has no end yet may be whole all the same.
    let closed = if output.ends_with('\n') { output.into() } else { format!("{output}\n") };
    pattern(expected).find(&closed).map(|found| found.end().min(output.len()))
}

#[test]
fn expectations_are_met_from_the_beginning() {
    assert_eq!(matched("a\nb …\n", "a\nb c\nd\n"), Some(6));
    assert_eq!(matched("a…d\n", "abcd"), Some(4));
    assert_eq!(matched("…\nd\n", "a\nb\nd\n"), Some(6));
    assert_eq!(matched("a\n…\n", "a\nb\nd\n"), Some(6));
    assert_eq!(matched("id: 1.k3f9x2ab.a\n", "id: 1.00000000.a\n"), Some(17));
    for (expected, output) in
        [("b\n", "a\nb\n"), ("a\nb\n", "a\n"), ("a.c\n", "abc\n"), ("a\n", "")]
    {
        assert_eq!(matched(expected, output), None, "{expected:?} {output:?}");
    }
}
