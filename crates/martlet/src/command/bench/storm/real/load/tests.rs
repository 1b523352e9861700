use super::*;

#[test]
fn the_busiest_second_is_found_between_looks() {
    let begun = Instant::now();
    let mut cpu = 0;
    let seen: Vec<_> = (0..50)
        .map(|look| {
            // Half of a core, and all of one from the second second to the fourth.
            cpu += if (20..40).contains(&look) { 100 } else { 50 };
            (begun + LOOK * look, Duration::from_millis(cpu))
        })
        .collect();
    assert!((busiest(&seen) - 1.0).abs() < 1e-9, "{}", busiest(&seen));
    assert!((busiest(&seen[..15]) - 0.5).abs() < 1e-9);
    assert!(busiest(&seen[..5]).abs() < 1e-9, "too short to say");
}
