use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const NOW: UnixMillis = UnixMillis(1_795_803_914_512);

fn channel() -> ChannelName {
    ChannelName::parse("a").unwrap()
}

fn life(id: u64, trusted: u64) -> Life {
    Life { id, trusted: UnixMillis(trusted) }
}

fn written(life: Life, first: u64, taken: u64) -> Written {
    let packed = Packed { epoch: 9, first, time: taken, ..Packed::default() };
    let end = packed.end(70);
    Written { sequence: 70, life, taken: UnixMillis(taken), packed, end, counts: true }
}

#[test]
fn in_the_same_life_it_goes_on_from_the_last_message() {
    let last = written(life(1, 0), 6, 500);
    let head = Head::of(&channel(), life(1, 0), Some(&last), NOW, DAY);
    assert_eq!((head.before.sequence, head.before.at.offset), (70, 5));
    assert_eq!(head.before.at.epoch, Epoch::new(9));
}

#[test]
fn in_a_new_life_it_goes_on_in_another_epoch() {
    let last = written(life(1, 0), 6, 500);
    let head = Head::of(&channel(), life(2, 500), Some(&last), NOW, DAY);
    let old = Position { epoch: Epoch::new(9), offset: 5 };
    assert_eq!((head.before.sequence, head.before.previous), (0, Some(old)));
    assert_eq!(head.before.at.offset, 5);
    assert_ne!(head.before.at.epoch, old.epoch);
    assert_eq!(head, Head::of(&channel(), life(2, 500), Some(&last), NOW, DAY), "for everybody");
}

#[test]
fn what_was_taken_after_a_loss_is_nothing_in_common() {
    let last = written(life(1, 0), 6, 501);
    let head = Head::of(&channel(), life(2, 500), Some(&last), NOW, DAY);
    assert_eq!((head.before.previous, head.before.at.offset), (None, 5));
}

#[test]
fn a_forgotten_channel_does_not_come_back_as_what_it_was() {
    let empty = |life, now| Head::of(&channel(), life, None, now, DAY).before;
    let before = empty(life(1, 0), NOW);
    assert_eq!(before.at.offset, 0);
    assert_eq!(empty(life(1, 0), NOW.plus_ms(1)), before);
    let after = empty(life(1, 0), NOW.plus_ms(86_400_000));
    assert_ne!(after.at.epoch, before.at.epoch);
    assert_eq!(after.previous, Some(before.at), "but who saw it empty has missed nothing");
    assert_ne!(empty(life(2, 0), NOW).at.epoch, before.at.epoch);
}

#[test]
fn what_is_known_goes_only_forward() {
    let mut heads = Heads::default();
    let before = Head::of(&channel(), life(1, 0), None, NOW, DAY);
    let at = |life, sequence| Head { life, before: Before { sequence, ..before.before } };
    heads.learn(&channel(), at(life(1, 0), 5));
    heads.learn(&channel(), at(life(1, 0), 4));
    assert_eq!(heads.get(&channel(), life(1, 0)).unwrap().before.sequence, 5);
    assert_eq!(heads.get(&channel(), life(2, 0)), None);
    heads.learn(&channel(), at(life(2, 0), 1));
    assert_eq!(heads.get(&channel(), life(2, 0)).unwrap().before.sequence, 1);
}
