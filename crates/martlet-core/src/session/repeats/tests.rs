//! A command is new once.

use super::*;

#[test]
fn a_number_is_new_once_whatever_the_order() {
    let mut repeats = Repeats::default();
    assert!([5, 3, 9].into_iter().all(|id| repeats.admit(id)));
    assert!([9, 5, 3].into_iter().all(|id| !repeats.admit(id)));
    assert!(repeats.admit(4));
}

#[test]
fn without_a_number_there_is_no_telling() {
    let mut repeats = Repeats::default();
    assert!(repeats.admit(0) && repeats.admit(0));
    assert!(repeats.0.is_none(), "it owns no memory");
}

#[test]
fn it_remembers_as_many_as_two_of_the_largest_requests() {
    let mut repeats = Repeats::default();
    (1..=2 * REMEMBERED as u32).for_each(|id| assert!(repeats.admit(id)));
    assert!(!repeats.admit(REMEMBERED as u32 + 1));
    assert_eq!(repeats.0.expect("it has some").numbers.len(), REMEMBERED);
}
