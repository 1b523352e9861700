use std::collections::BTreeSet;

use super::*;

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

#[test]
fn partitions_are_spread_over_the_slots() {
    for (index, (_, slot)) in TAGS.iter().enumerate() {
        assert_eq!(usize::from(*slot) / 512, index);
    }
    assert_eq!(TAGS.iter().map(|(tag, _)| tag).collect::<BTreeSet<_>>().len(), PARTITIONS);
}

#[test]
fn channels_are_spread_over_partitions_and_stay_where_they_are() {
    let mut count = [0; PARTITIONS];
    (0..32_000).for_each(|n| count[Partition::of(&channel(&format!("room:{n}"))).index()] += 1);
    assert!(count.iter().all(|count| (800..1_200).contains(count)), "{count:?}");
    assert_eq!(Partition::of(&channel("news")).index(), 21);
}

#[test]
fn names_lead_back_to_their_channel() {
    let names = Names::new("martlet");
    for name in ["news", "a:b", "}:l:x", "ä"] {
        let live = names.of('l', &channel(name));
        assert_eq!(names.channel_of(&live), Some(name));
    }
    assert_eq!(names.channel_of(&names.canary(Partition(3), "x")), None);
    let (a, b) = (channel("a"), channel("a:b"));
    assert_ne!(names.receipt(&a, "b:c"), names.receipt(&b, "c"));
}
