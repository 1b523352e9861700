use super::*;
use crate::command::bench::bare::{Bare, Each};
use crate::command::bench::dialect::martlet::Martlet;
use crate::command::bench::door::Door;

/// A crowd of a publisher and this many readers, all let in by a bare loop of its own.
fn crowd(readers: usize, channels: usize) -> Crowd {
    let mut bare = Bare::<Each>::listen().unwrap();
    let door = Door::anonymous(bare.address().unwrap(), &Martlet);
    // It serves for as long as the test runs.
    std::thread::spawn(move || bare.serve());
    let mut crowd = Crowd::new(&door, channels).unwrap();
    let all = std::iter::once(None).chain((0..readers).map(|i| Some(i % channels)));
    let opened = crowd.open(all, 8, Duration::from_secs(20)).unwrap();
    assert_eq!(opened.opened as usize, readers + 1, "{:?}", crowd.failures);
    crowd
}

fn load(pace: Pace, channels: usize) -> Load {
    Load { publisher: Publisher::One(0), pace, channels, payload: 100 }
}

#[test]
fn a_generator_that_was_held_up_counts_from_when_it_meant_to_send() {
    let mut crowd = crowd(3, 1);
    let load = load(Pace::Rate(10.0), 1);
    let mut shift = Shift::new(&load, &mut crowd);
    // Everything is due by now: the first two seconds late, the last one second.
    shift.begun = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
    shift.at_rate(10.0, Duration::from_secs(1)).unwrap();
    shift.drain().unwrap();
    assert!(shift.late >= Duration::from_secs(2));
    let tally = &crowd.board.tally;
    assert_eq!((tally.publications, tally.deliveries, tally.missed), (10, 30, 0));
    assert!(tally.latency.min() >= 1_000_000_000, "{}", tally.latency.min());
    assert!(tally.latency.max() >= 2_000_000_000 - 2_000_000, "{}", tally.latency.max());
}

#[test]
fn no_more_are_in_flight_than_may_be() {
    let mut crowd = crowd(4, 2);
    let load = load(Pace::InFlight(3), 2);
    let mut shift = Shift::new(&load, &mut crowd);
    shift.in_flight(3, Duration::from_millis(20)).unwrap();
    // Three publications for two readers each.
    assert!(shift.crowd.board.owed <= 6, "{}", shift.crowd.board.owed);
    shift.drain().unwrap();
    assert_eq!(shift.crowd.board.owed, 0);
    let tally = &crowd.board.tally;
    assert!(tally.publications > 3, "{}", tally.publications);
    assert_eq!(tally.deliveries, tally.publications * 2);
}

#[test]
fn with_one_in_flight_the_next_waits_until_everybody_has_the_last() {
    let mut crowd = crowd(2, 1);
    let load = load(Pace::InFlight(1), 1);
    let mut shift = Shift::new(&load, &mut crowd);
    assert!(shift.has_room(1).unwrap());
    shift.publish_next(Instant::now()).unwrap();
    assert!(!shift.has_room(1).unwrap() && shift.has_room(2).unwrap());
    shift.send();
    shift.drain().unwrap();
    assert!(shift.has_room(1).unwrap());
}

#[test]
fn data_is_as_long_as_wanted_and_begins_with_its_number() {
    let mut data = Vec::new();
    write_data(42, 100, &mut data);
    assert_eq!(data.len(), 100);
    assert!(data.starts_with(b"00000000000000000042x"), "{data:?}");
}

#[test]
fn nothing_is_measured_without_a_publisher() {
    let mut crowd = crowd(1, 1);
    crowd.client(0).unwrap().socket().shutdown(std::net::Shutdown::Both).unwrap();
    let load = load(Pace::InFlight(1), 1);
    assert!(load.run(&mut crowd, || None, Duration::from_secs(60)).is_err());
}
