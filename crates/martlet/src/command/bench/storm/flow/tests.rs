use super::*;

fn ms(ms: u64) -> Instant {
    Instant(ms * 1_000)
}

#[test]
fn the_busiest_second_begins_anywhere() {
    let mut flow = Flow::default();
    for at in (0..10_000).step_by(100) {
        flow.add(ms(at), 1);
    }
    assert_eq!((flow.total(), flow.most_in_second()), (100, 10.0));
    flow.add(ms(4_950), 5);
    flow.add(ms(5_940), 5);
    assert_eq!(flow.most_in_second(), 20.0, "both are within one second");
    assert_eq!(flow.most_in_tenth(), 60.0);
    flow.add(ms(8_000), 7);
    flow.add(ms(9_000), 7);
    assert_eq!(flow.most_in_second(), 20.0, "these are not");
}

#[test]
fn a_quantile_is_when_so_many_had_come() {
    let mut flow = Flow::default();
    for at in 0..100 {
        flow.add(ms(at * 10), 1);
    }
    assert_eq!(flow.quantile(0.5), ms(500));
    assert_eq!(flow.quantile(0.99), ms(990));
}

#[test]
fn comings_and_goings_tell_how_many_are_there() {
    let mut flow = Flow::default();
    for (at, count) in [(0, 3), (50, 2), (100, -4), (200, 1)] {
        flow.add(ms(at), count);
    }
    assert_eq!(flow.most_at_once(), 5);
}

#[test]
fn tenths_begin_where_they_are_asked_to() {
    let mut flow = Flow::default();
    for at in [0, 1_000, 1_090, 1_110, 1_350] {
        flow.add(ms(at), 1);
    }
    assert_eq!(flow.tenths(ms(1_000), 3), [2, 1, 0]);
    assert_eq!(flow.tenths(ms(1_000), 9), [2, 1, 0, 1]);
    assert_eq!(flow.tenths(ms(9_000), 9), [0; 0]);
}
