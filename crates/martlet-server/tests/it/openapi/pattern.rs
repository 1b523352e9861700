//! As much of regular expressions as the description uses: sets of characters and how many of
//! each, one after the other, from the beginning to the end.

/// Whether `text` fits `pattern`.
pub fn fits(pattern: &str, text: &str) -> bool {
    let inner = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
    let parts = parts(inner.unwrap_or_else(|| panic!("{pattern} is not from ^ to $")));
    run(&parts, &text.chars().collect::<Vec<_>>())
}

/// A set of characters as ranges, and how many there may be.
struct Part {
    ranges: Vec<(char, char)>,
    least: usize,
    most: usize,
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut rest = pattern;
    let mut parts = Vec::new();
    while let Some(inner) = rest.strip_prefix('[') {
        let (set, after) = inner.split_once(']').expect("a set has an end");
        let (least, most, after) = quantity(after);
        parts.push(Part { ranges: ranges(set), least, most });
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('=') {
        let (least, most, after) = quantity(after);
        parts.push(Part { ranges: vec![('=', '=')], least, most });
        rest = after;
    }
    assert!(rest.is_empty(), "{pattern} has more than these tests know");
    parts
}

fn ranges(set: &str) -> Vec<(char, char)> {
    let mut chars = set.chars().peekable();
    let mut ranges = Vec::new();
    while let Some(from) = chars.next() {
        let to = if chars.next_if_eq(&'-').is_some() { chars.next().unwrap() } else { from };
        ranges.push((from, to));
    }
    ranges
}

fn quantity(rest: &str) -> (usize, usize, &str) {
    match rest.chars().next() {
        Some('*') => (0, usize::MAX, &rest[1..]),
        Some('+') => (1, usize::MAX, &rest[1..]),
        Some('?') => (0, 1, &rest[1..]),
        Some('{') => {
            let (inner, after) = rest[1..].split_once('}').expect("a quantity has an end");
            let (least, most) = inner.split_once(',').unwrap_or((inner, inner));
            (least.parse().unwrap(), most.parse().unwrap(), after)
        }
        _ => (1, 1, rest),
    }
}

fn run(parts: &[Part], text: &[char]) -> bool {
    let Some((first, others)) = parts.split_first() else { return text.is_empty() };
    let within = |c: &&char| first.ranges.iter().any(|(from, to)| (from..=to).contains(c));
    let longest = text.iter().take_while(within).count().min(first.most);
    (first.least..=longest).rev().any(|count| run(others, &text[count..]))
}

#[test]
fn a_pattern_fits_or_not() {
    assert!(fits("^[0-9a-z]{8}$", "k3f9x2ab") && !fits("^[0-9a-z]{8}$", "k3f9x2aB"));
    assert!(fits("^[0-9]+[smhd]?$", "90s") && fits("^[0-9]+[smhd]?$", "90"));
    assert!(!fits("^[0-9]+[smhd]?$", "s") && !fits("^[0-9]+[smhd]?$", "90w"));
    assert!(fits("^[A-Za-z0-9+/]*={0,2}$", "AP8=") && !fits("^[A-Za-z0-9+/]*={0,2}$", "AP8==="));
}
