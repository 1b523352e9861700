use super::*;

#[test]
fn numbers_are_written_for_people() {
    assert_eq!([0.0, 999.0, 1_000.0, 1_234_567.4].map(count), ["0", "999", "1,000", "1,234,567"]);
    let written = [1.234, 123.4, 1_234.0, 1_234_000.0].map(microseconds);
    assert_eq!(written, ["1.23 µs", "123 µs", "1.23 ms", "1.23 s"]);
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let text = table(row(["server", "µs"]), vec![row(["a", "1,000"]), row(["longer one", "2"])]);
    assert_eq!(text, "server         µs\na           1,000\nlonger one      2\n");
}

#[test]
fn latency_is_never_above_its_maximum() {
    let mut histogram = super::super::board::histogram();
    histogram.record(1_234_567).unwrap();
    let latency = Latency::of(&histogram);
    assert!(latency.p50 <= latency.max && latency.p999 <= latency.max);
}
