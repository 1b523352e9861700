use std::collections::BTreeMap;

use super::*;

const RATE: AdmissionRate = AdmissionRate { per_second: 1_000 };

fn at(millis: u64) -> Instant {
    Instant(millis * 1_000)
}

/// Lets `arrivals` come, each again when it is told to, until all are in; gives how many were let
/// in in each tenth of a second, and how often somebody was sent away.
fn play(arrivals: Vec<(Instant, Arrival)>) -> (BTreeMap<u64, u32>, u32) {
    let mut admission = Admission::new(RATE);
    let mut line: BTreeMap<(Instant, usize), Arrival> = BTreeMap::new();
    line.extend(arrivals.into_iter().enumerate().map(|(i, (when, who))| ((when, i), who)));
    let (mut let_in, mut sent_away) = (BTreeMap::new(), 0);
    while let Some(((now, number), who)) = line.pop_first() {
        let random = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match admission.handle_arrival(now, who, random) {
            Ok(()) => *let_in.entry(now.0 / 100_000).or_default() += 1,
            Err(wait) => {
                sent_away += 1;
                line.insert((now.after(wait), number), who);
            }
        }
    }
    (let_in, sent_away)
}

#[test]
fn without_a_limit_everybody_is_let_in() {
    let mut admission = Admission::new(AdmissionRate { per_second: 0 });
    for _ in 0..100_000 {
        assert_eq!(admission.handle_arrival(at(0), Arrival::Newcomer, 0), Ok(()));
    }
}

#[test]
fn a_crowd_is_let_in_at_the_rate_and_sent_away_about_once_each() {
    let (let_in, sent_away) = play(vec![(at(0), Arrival::Returning); 20_000]);
    let full: Vec<_> = let_in.values().collect();
    assert_eq!(full.iter().copied().sum::<u32>(), 20_000);
    assert_eq!(*full[0], 250, "the burst");
    assert!(full[1..].iter().all(|count| **count <= 100), "{full:?}");
    assert!(sent_away < 20_500, "{sent_away}");
    assert!(let_in.keys().last().is_some_and(|last| *last < 225), "{let_in:?}");
}

#[test]
fn those_who_return_go_before_newcomers() {
    let mut crowd = vec![(at(0), Arrival::Newcomer); 3_000];
    crowd.extend(vec![(at(1), Arrival::Returning); 3_000]);
    let mut admission = Admission::new(RATE);
    let mut waits = BTreeMap::new();
    for (index, (now, who)) in crowd.into_iter().enumerate() {
        if let Err(wait) = admission.handle_arrival(now, who, index as u64) {
            waits.entry(who == Arrival::Newcomer).or_insert_with(Vec::new).push(wait);
        }
    }
    // The rest of the burst is theirs, although newcomers came first.
    assert_eq!(waits[&false].len(), 3_000 - 125 - 1, "one has grown again in a millisecond");
    assert_eq!(waits[&true].len(), 3_000 - 125);
    // And a newcomer that comes now waits until all of them have their places.
    let behind = admission.handle_arrival(at(2), Arrival::Newcomer, 0).expect_err("full");
    assert!(behind >= *waits[&false].iter().max().expect("some"));
}

#[test]
fn nobody_waits_longer_than_the_longest_wait_and_never_nothing() {
    let mut admission = Admission::new(RATE);
    for number in 0..1_000_000u64 {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Err(wait) = admission.handle_arrival(at(0), Arrival::Returning, random) {
            assert!(wait >= SOONEST && wait <= LATEST + RATE.each(), "{wait:?}");
        }
    }
}

#[test]
fn the_smallest_rate_lets_in_one_after_the_other() {
    let mut admission = Admission::new(AdmissionRate { per_second: 1 });
    assert_eq!(admission.handle_arrival(at(0), Arrival::Newcomer, 0), Ok(()));
    assert_eq!(admission.handle_arrival(at(0), Arrival::Returning, 0), Ok(()));
    assert!(admission.handle_arrival(at(500), Arrival::Returning, 0).is_err());
    assert_eq!(admission.handle_arrival(at(1_000), Arrival::Returning, 0), Ok(()));
}
