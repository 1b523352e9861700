use super::super::packed::Packed;
use super::*;

fn written(life: u64, after: u64, sequence: u64) -> Written {
    let life = Life { id: life, trusted: UnixMillis(0) };
    let packed = Packed { first: 1, after, ..Packed::default() };
    let end = packed.end(sequence);
    Written { sequence, life, taken: UnixMillis(0), packed, end, counts: true }
}

fn counted(row: &[Written]) -> Vec<u64> {
    counting(row.to_vec()).iter().map(|written| written.sequence).collect()
}

#[test]
fn of_two_after_the_same_one_the_first_counts() {
    let row = [written(1, 5, 10), written(1, 5, 11), written(1, 11, 12)];
    assert_eq!(counted(&row), [10, 12]);
    let row = [written(1, 5, 10), written(1, 5, 11), written(1, 10, 12), written(1, 12, 13)];
    assert_eq!(counted(&row), [10, 13], "who did not know of a void one is void as well");
}

#[test]
fn a_new_life_begins_after_nothing() {
    let row = [written(1, 5, 10), written(2, 0, 20), written(2, 0, 21), written(2, 21, 22)];
    assert_eq!(counted(&row), [10, 20, 22]);
}
