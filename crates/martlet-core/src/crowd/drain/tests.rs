use super::*;

const OVER: Duration = Duration::from_secs(30);

#[test]
fn sessions_go_evenly_and_all() {
    let drain = Drain::new(Instant(5_000_000), OVER, 10_000);
    let (mut present, mut now, mut rounds) = (10_000, Instant(5_000_000), Vec::new());
    while present > 0 {
        let going = drain.handle_round(now, present);
        rounds.push(going);
        present -= going;
        now = now.after(Drain::ROUND);
    }
    assert_eq!(rounds[0], 0);
    assert!(rounds[1..].iter().all(|going| (33..=34).contains(going)), "{rounds:?}");
    assert_eq!(now, drain.ends().after(Drain::ROUND));
}

#[test]
fn who_goes_by_itself_is_one_fewer_to_send() {
    let drain = Drain::new(Instant(0), OVER, 10_000);
    assert_eq!(drain.handle_round(Instant(15_000_000), 10_000), 5_000);
    assert_eq!(drain.handle_round(Instant(15_000_000), 6_000), 1_000);
    assert_eq!(drain.handle_round(Instant(15_000_000), 4_000), 0);
}

#[test]
fn without_a_time_all_go_at_once() {
    assert_eq!(Drain::new(Instant(7), Duration::ZERO, 3).handle_round(Instant(7), 3), 3);
}

#[test]
fn who_comes_in_the_meantime_goes_with_the_others() {
    let drain = Drain::new(Instant(0), OVER, 0);
    assert_eq!(drain.handle_round(Instant(1), 2), 2);
}
