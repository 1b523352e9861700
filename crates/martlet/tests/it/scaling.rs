//! The sums of `docs/scaling.md`: each is done again, and each number in one has a source.

use std::collections::BTreeSet;
use std::path::Path;

/// How far a rounded result may be from its sum.
const ROUNDED: f64 = 0.006;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scaling.md");
    std::fs::read_to_string(path).unwrap()
}

/// The cells of a table's rows, each with the head of its table.
fn rows(page: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let (mut head, mut rows) = (Vec::new(), Vec::new());
    for line in page.lines() {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        match line.starts_with('|') {
            false => head.clear(),
            true if head.is_empty() => head = cells,
            true if cells[0].starts_with("---") => {}
            true => rows.push((head.clone(), cells)),
        }
    }
    rows
}

/// The number that a cell begins with; the unit after it does not matter.
fn number(text: &str) -> Option<f64> {
    text.split(' ').next()?.replace(',', "").parse().ok()
}

/// `a × b ÷ c + d − e`, as it is done on paper.
fn work_out(sum: &str) -> f64 {
    let (mut total, mut product, mut operator) = (0.0, 1.0, "×");
    for word in sum.split(' ') {
        match (number(word), operator) {
            (Some(n), "÷") => product /= n,
            (Some(n), _) => product *= n,
            (None, _) => operator = word,
        }
        if matches!(word, "+" | "−") {
            total += product;
            product = if word == "−" { -1.0 } else { 1.0 };
        }
    }
    total + product
}

/// One with zeros after it needs no source, nor do halves and bits of a byte.
fn round(number: f64) -> bool {
    number == 2.0 || number == 8.0 || number.log10().fract() == 0.0
}

#[test]
fn every_sum_is_right_and_every_number_has_a_source() {
    let (mut known, mut sums) = (BTreeSet::new(), 0);
    // What the rows say themselves of links, writes and units.
    known.extend(["25", "16", "4", "1.0737"].map(String::from));
    for (head, cells) in rows(&page()) {
        if head[1] == "value" {
            known.extend(number(&cells[1]).map(|n| n.to_string()));
            continue;
        }
        assert_eq!(head, ["what", "sum", "result"]);
        for part in cells[1].split(' ').filter_map(number).filter(|part| !round(*part)) {
            assert!(known.contains(&part.to_string()), "{}: where is {part} from?", cells[0]);
        }
        let (result, right) = (number(&cells[2]).unwrap(), work_out(&cells[1]));
        let off = (result - right).abs() / right;
        assert!(off < ROUNDED, "{}: {} is {right}, not {result}", cells[0], cells[1]);
        known.insert(result.to_string());
        sums += 1;
    }
    assert!(sums > 40, "{sums} sums were found");
}

#[test]
fn sums_are_worked_out_as_on_paper() {
    assert_eq!(work_out("2 + 3 × 4 ÷ 6 − 1"), 3.0);
    assert_eq!(work_out("1,000 ÷ 8"), 125.0);
}
