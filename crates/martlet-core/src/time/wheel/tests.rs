//! Tests of the wheel against a list that is looked through.

use proptest::prelude::*;

use super::*;

const SLOT: Duration = Duration::from_millis(10);

fn ms(ms: u64) -> Instant {
    Instant(ms * 1_000)
}

fn due(wheel: &mut Wheel<u32>, now: Instant) -> Vec<u32> {
    let mut due = Vec::new();
    wheel.handle_timeout(now, &mut due);
    due
}

#[test]
fn fires_within_a_slot_after_the_deadline_and_not_before() {
    let mut wheel = Wheel::new(ms(0), SLOT, 4);
    wheel.insert(ms(15), 1);
    assert_eq!(due(&mut wheel, ms(14)), []);
    assert_eq!(due(&mut wheel, ms(19)), []);
    assert_eq!(due(&mut wheel, ms(20)), [1]);
    assert_eq!(due(&mut wheel, ms(99)), []);
    assert_eq!(wheel.poll_timeout(), None);
}

#[test]
fn what_is_farther_than_a_turn_is_passed_over() {
    let mut wheel = Wheel::new(ms(0), SLOT, 4);
    wheel.insert(ms(95), 1);
    for now in (0..100).step_by(5) {
        assert_eq!(due(&mut wheel, ms(now)), []);
    }
    assert_eq!(due(&mut wheel, ms(100)), [1]);
}

#[test]
fn a_deadline_in_the_past_fires_at_the_next_chance() {
    let mut wheel = Wheel::new(ms(500), SLOT, 4);
    wheel.insert(ms(3), 1);
    assert_eq!(wheel.poll_timeout(), Some(ms(500)));
    assert_eq!(due(&mut wheel, ms(500)), [1]);
    due(&mut wheel, ms(700));
    wheel.insert(ms(3), 2);
    let next = wheel.poll_timeout().unwrap();
    assert_eq!(due(&mut wheel, next), [2]);
}

#[test]
fn the_end_of_time_is_no_deadline_that_comes() {
    let mut wheel = Wheel::new(ms(0), Duration::ZERO, 0);
    wheel.insert(Instant(u64::MAX), 1);
    assert_eq!(due(&mut wheel, ms(1_000)), []);
    let mut wheel = Wheel::new(ms(0), SLOT, 4);
    wheel.insert(Instant(u64::MAX), 1);
    assert_eq!(due(&mut wheel, ms(1_000)), []);
}

#[test]
fn a_clock_that_stands_still_or_leaps_does_no_harm() {
    let mut wheel = Wheel::new(ms(0), SLOT, 4);
    (0..50).for_each(|key| wheel.insert(ms(u64::from(key) * 7), key));
    let mut all = due(&mut wheel, ms(0));
    all.extend(due(&mut wheel, ms(0)));
    all.extend(due(&mut wheel, ms(100_000)));
    all.extend(due(&mut wheel, ms(100_000)));
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn is_a_list_of_deadlines(
        slots in 1usize..20,
        begin in 0u64..200,
        steps in prop::collection::vec((0u64..400, 0u64..60), 1..100),
    ) {
        let mut wheel = Wheel::new(ms(begin), SLOT, slots);
        let mut now = ms(begin);
        // Each key with its deadline and the instant by which it has to have fired.
        let mut waiting: Vec<(u32, Instant, Instant)> = Vec::new();
        for (key, (ahead, pass)) in (0u32..).zip(steps) {
            // Some deadlines lie in the past: those fire within a slot from now.
            let deadline = Instant((now.0 + ahead * 1_000).saturating_sub(50_000));
            wheel.insert(deadline, key);
            waiting.push((key, deadline, deadline.max(now).after(SLOT)));
            prop_assert!(wheel.poll_timeout().is_some());
            now = now.after(Duration::from_millis(pass));
            for key in due(&mut wheel, now) {
                let index = waiting.iter().position(|(k, ..)| *k == key);
                prop_assert!(index.is_some(), "{} fired twice", key);
                let (_, deadline, _) = waiting.swap_remove(index.unwrap());
                prop_assert!(deadline <= now, "early");
            }
            prop_assert!(waiting.iter().all(|(.., latest)| now < *latest), "late");
        }
        let mut rest = due(&mut wheel, now.after(Duration::from_secs(10)));
        rest.sort_unstable();
        let mut expected: Vec<_> = waiting.into_iter().map(|(key, ..)| key).collect();
        expected.sort_unstable();
        prop_assert_eq!(rest, expected);
        prop_assert_eq!(wheel.poll_timeout(), None);
    }
}
