use super::*;

fn channel(n: usize) -> ChannelName {
    ChannelName::parse(&format!("c{n}")).unwrap()
}

#[test]
fn each_owner_gets_its_share_and_whole_slots() {
    let slots = Slots::new(7);
    for owners in [1, 2, 3, 7, 48] {
        let mut counts = vec![0; owners];
        let mut of_slot = std::collections::HashMap::new();
        for channel in (0..owners * 1_000).map(channel) {
            let owner = slots.owner(&channel, owners);
            counts[owner] += 1;
            assert_eq!(*of_slot.entry(slots.of(&channel)).or_insert(owner), owner);
        }
        assert!(counts.iter().all(|count| (700..1_300).contains(count)), "{counts:?}");
    }
}

#[test]
fn another_seed_divides_otherwise() {
    let (one, other) = (Slots::new(7), Slots::new(8));
    let moved = (0..1_000).map(channel).filter(|c| one.of(c) != other.of(c)).count();
    assert!(moved > 900, "{moved}");
}
