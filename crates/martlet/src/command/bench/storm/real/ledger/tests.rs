use super::*;
use crate::command::bench::storm::policy::Clients;

fn follower() -> Follower {
    let mut follower = Follower::new(0, Clients::Martlet.policy(1), Instant::now());
    follower.watches = true;
    follower
}

#[test]
fn what_comes_once_and_in_order_is_right() {
    let (mut ledger, mut one, now) = (Ledger::new(1), follower(), Instant::now());
    for _ in 0..3 {
        let number = ledger.publish(0, now);
        assert!(!ledger.complete(&one));
        ledger.deliver(&mut one, number, now + Duration::from_millis(2));
    }
    assert!(ledger.complete(&one));
    assert_eq!((ledger.faults, ledger.deliveries), (Faults::default(), 3));
    let latency = ledger.latency(now, now + Duration::from_secs(1));
    assert_eq!(latency.len(), 3);
    assert!((1_990_000..2_010_000).contains(&latency.max()));
    assert_eq!(ledger.latency(now, now).len(), 0, "they came later");
}

#[test]
fn what_is_passed_over_or_comes_again_is_counted() {
    let (mut ledger, mut one, now) = (Ledger::new(1), follower(), Instant::now());
    (0..9).for_each(|_| _ = ledger.publish(0, now));
    ledger.deliver(&mut one, 0, now);
    ledger.deliver(&mut one, 3, now);
    ledger.deliver(&mut one, 3, now);
    ledger.deliver(&mut one, 1, now);
    assert_eq!(ledger.faults, Faults { lost: 2, repeated: 2, in_gaps: 0 });
    assert_eq!(ledger.missing(std::iter::once(&one)), 5);
}

#[test]
fn what_somebody_is_told_of_is_no_silent_loss() {
    let (mut ledger, mut one, now) = (Ledger::new(1), follower(), Instant::now());
    (0..9).for_each(|_| _ = ledger.publish(0, now));
    ledger.deliver(&mut one, 0, now);
    ledger.gap(&mut one, 4);
    ledger.deliver(&mut one, 4, now);
    assert_eq!(ledger.faults, Faults { lost: 0, repeated: 0, in_gaps: 3 });
}

#[test]
fn whoever_does_not_watch_says_nothing_of_latency() {
    let (mut ledger, mut one, now) = (Ledger::new(1), follower(), Instant::now());
    one.watches = false;
    ledger.publish(0, now);
    ledger.deliver(&mut one, 0, now);
    assert_eq!(ledger.latency(now, now).len(), 0);
}
