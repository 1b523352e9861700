//! Tests of the budget.

use proptest::prelude::*;

use super::*;

const BYTES: usize = 1_000;

fn at(millis: u64) -> Instant {
    Instant(millis * 1_000)
}

/// Counts so many bytes at once; gives the level.
fn level_of(counted: usize) -> Level {
    Budget::new(BYTES).handle_counted(at(0), counted)
}

#[test]
fn things_are_given_up_in_the_stated_order() {
    let mut order: Vec<_> = (0..=BYTES).map(level_of).collect();
    order.dedup();
    assert_eq!(order, Level::ALL);
    let begins = [650, 750, 800, 850, 950];
    for (level, begin) in Level::ALL.into_iter().skip(1).zip(begins) {
        assert_eq!((level_of(begin - 1), level_of(begin)), (level.lower(), level));
    }
}

#[test]
fn every_level_has_its_number_and_its_name() {
    for (number, level) in Level::ALL.into_iter().enumerate() {
        assert_eq!((level as usize, Level::from_number(number as u8)), (number, level));
    }
    let mut names: Vec<_> = Level::ALL.iter().map(|level| level.name()).collect();
    names.dedup();
    assert_eq!(names.len(), Level::ALL.len());
}

#[test]
fn it_goes_up_at_once_and_down_step_by_step() {
    let mut budget = Budget::new(BYTES);
    assert_eq!(budget.handle_counted(at(0), 960), Level::Refusing);
    assert_eq!(budget.handle_counted(at(1_999), 0), Level::Refusing);
    for (step, level) in Level::ALL.into_iter().rev().skip(1).enumerate() {
        let now = 2_000 * (step as u64 + 1);
        assert_eq!(budget.handle_counted(at(now), 0), level);
        assert_eq!(budget.handle_counted(at(now + 1_999), 0), level);
    }
}

#[test]
fn a_level_is_kept_as_long_as_nearly_as_much_is_held() {
    let mut budget = Budget::new(BYTES);
    budget.handle_counted(at(0), 750);
    for second in 1..60 {
        assert_eq!(budget.handle_counted(at(second * 1_000), 700), Level::Closed);
    }
    assert_eq!(budget.handle_counted(at(60_000), 699), Level::Closed);
    assert_eq!(budget.handle_counted(at(61_000), 699), Level::Trimming);
}

#[test]
fn what_nobody_counts_counts() {
    let mut budget = Budget::new(BYTES);
    budget.handle_counted(at(0), 100);
    assert_eq!(budget.handle_resident(at(1), 800), Level::Parting);
    assert_eq!((budget.held(), budget.over(Level::Parting)), (800, 50));
    // What is counted next comes on top.
    assert_eq!(budget.handle_counted(at(2), 150), Level::Forgetting);
}

#[test]
fn what_was_let_go_is_not_let_go_again_while_the_allocator_keeps_it() {
    let mut budget = Budget::new(BYTES);
    budget.handle_counted(at(0), 800);
    budget.handle_resident(at(0), 900);
    budget.handle_counted(at(10), 650);
    for second in 1..20 {
        budget.handle_resident(at(second * 1_000), 900);
        assert_eq!((budget.held(), budget.over(Level::Forgetting)), (750, 0));
    }
    // It seems not to come back at all.
    budget.handle_resident(at(22_000), 900);
    assert_eq!(budget.held(), 900);
}

#[test]
fn what_was_let_go_hides_no_more_than_a_quarter_of_the_budget() {
    let mut budget = Budget::new(BYTES);
    budget.handle_counted(at(0), 900);
    budget.handle_counted(at(10), 0);
    assert_eq!(budget.handle_resident(at(20), 1_200), Level::Refusing);
    assert_eq!(budget.held(), 950);
}

#[test]
fn the_parts_leave_room() {
    let parts = [Budget::for_histories, Budget::for_logs, Budget::for_bodies, Budget::for_letters];
    let sum: usize = parts.iter().map(|part| part(BYTES * 16)).sum();
    assert!(sum < BYTES * 16);
    let calm = part(BYTES, Level::Trimming.percent());
    assert!(Budget::for_histories(BYTES) < calm, "full histories are no shortage");
}

/// What a node goes through: times between, what is counted, and what the process has, if it was
/// looked at.
fn life() -> impl Strategy<Value = Vec<(u64, usize, Option<usize>)>> {
    let step = (0u64..3_000, 0usize..1_100, proptest::option::of(0usize..1_200));
    proptest::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn a_level_stands_for_a_while_and_is_left_for_the_one_below(life in life()) {
        let (mut budget, mut now, mut before) = (Budget::new(BYTES), 0, Level::Calm);
        let mut entered = 0;
        for (wait, counted, resident) in life {
            now += wait;
            let mut levels = vec![budget.handle_counted(at(now), counted)];
            levels.extend(resident.map(|resident| budget.handle_resident(at(now), resident)));
            for level in levels {
                if level < before {
                    prop_assert_eq!(level, before.lower());
                    prop_assert!(now - entered >= 2_000, "after {} ms", now - entered);
                }
                if level != before {
                    entered = now;
                }
                before = level;
            }
            prop_assert!(budget.held() < budget.begins(Level::Refusing) || before == Level::Refusing);
        }
    }

    #[test]
    fn who_holds_more_is_never_at_a_lower_level(life in life(), more in 0usize..300) {
        let (mut less, mut greater, mut now) = (Budget::new(BYTES), Budget::new(BYTES), 0);
        for (wait, counted, _) in life {
            now += wait;
            let level = less.handle_counted(at(now), counted);
            prop_assert!(greater.handle_counted(at(now), counted + more) >= level);
        }
    }

    #[test]
    fn nothing_overflows(bytes in any::<usize>(), counted in 0usize..=usize::MAX / 2, resident in any::<usize>()) {
        let mut budget = Budget::new(bytes);
        budget.handle_counted(at(0), counted);
        budget.handle_resident(at(1), resident);
        prop_assert!(budget.held() >= counted);
    }
}
