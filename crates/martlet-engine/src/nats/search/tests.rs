use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn it_finds_what_a_walk_finds(numbers in proptest::collection::btree_set(1u64..2_000, 2..40), at in 1usize..40) {
        let numbers: Vec<_> = numbers.into_iter().collect();
        let at = 1 + at % (numbers.len() - 1);
        let wanted = numbers[at];
        let mut search = Search::new(numbers[0], numbers[numbers.len() - 1]);
        let (mut looks, mut found) = (0, numbers[numbers.len() - 1]);
        while let Some(look) = search.poll_look() {
            let there = *numbers.iter().find(|number| **number >= look).unwrap();
            search.handle_message(look, there, there < wanted);
            found = if there < wanted { found } else { there };
            looks += 1;
        }
        prop_assert_eq!(found, wanted);
        prop_assert!(looks <= 12, "{} looks", looks);
    }
}
