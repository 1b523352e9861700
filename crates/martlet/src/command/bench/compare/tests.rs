use super::*;

fn cpu(values: &[f64]) -> Vec<Figures> {
    values.iter().map(|cpu| Figures { cpu: Some(*cpu), ..Figures::default() }).collect()
}

#[test]
fn the_median_is_the_middle() {
    assert_eq!(median(vec![]), None);
    assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
}

#[test]
fn what_is_compared_comes_from_one_round() {
    // The machine is ten times as slow in the last round, for both.
    let servers = [("a", cpu(&[2.0, 2.2, 20.0])), ("bare", cpu(&[1.0, 1.0, 10.0]))];
    let ratios = ratios(&servers, 1);
    assert_eq!((ratios.len(), ratios[0].server.as_str(), ratios[0].rounds), (1, "a", 3));
    assert_eq!((ratios[0].cpu, ratios[0].speed), (Some(2.0), None));
    assert_eq!(ratios[0].line("bare"), "a / bare, median of 3 rounds: CPU 2.00\n");
}

#[test]
fn the_bare_loop_is_the_reference_and_else_the_first_other() {
    let find = |servers: &[(&str, bool)]| reference(servers.iter().copied());
    assert_eq!(find(&[("martlet", true)]), None);
    assert_eq!(find(&[("martlet", true), ("nats", false), ("bare", false)]), Some(2));
    assert_eq!(find(&[("martlet", true), ("nats", false), ("cork", false)]), Some(1));
    assert_eq!(find(&[("martlet", true), ("martlet sse", true)]), Some(0));
}
