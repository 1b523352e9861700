use super::*;
use crate::command::bench::crowd::Crowd;
use crate::command::bench::dialect::martlet::Martlet;
use crate::command::bench::door::Door;
use crate::command::bench::load::{Load, Pace, Publisher, Slice};
use std::time::Duration;

/// A slice of load on a loop with this many readers, of which everything has to arrive.
fn run<D: Delivery + Send + 'static>(in_flight: usize, readers: usize, channels: usize) -> Slice {
    let mut bare = Bare::<D>::listen().unwrap();
    let door = Door::anonymous(bare.address().unwrap(), &Martlet);
    // It serves for as long as the test runs.
    std::thread::spawn(move || bare.serve());
    let mut crowd = Crowd::new(&door, channels).unwrap();
    let all = std::iter::once(None).chain((0..readers).map(|i| Some(i % channels)));
    crowd.open(all, 8, Duration::from_secs(20)).unwrap();
    let pace = Pace::InFlight(in_flight);
    let load = Load { publisher: Publisher::One(0), pace, channels, payload: 100 };
    let slice = load.run(&mut crowd, || None, Duration::from_millis(100)).unwrap();
    let tally = &slice.tally;
    let each = (readers / channels) as u64;
    assert_eq!((tally.deliveries, tally.missed), (tally.publications * each, 0));
    slice
}

fn per_read(slice: &Slice) -> f64 {
    slice.tally.deliveries as f64 / slice.tally.reads as f64
}

#[test]
fn every_loop_delivers_everything_in_order() {
    for (in_flight, readers, channels) in [(1, 10, 1), (16, 10, 2), (40, 40, 40)] {
        run::<Each>(in_flight, readers, channels);
        run::<Cork>(in_flight, readers, channels);
        run::<Places>(in_flight, readers, channels);
    }
}

#[test]
fn what_comes_together_goes_together_but_not_in_the_first_loop() {
    let (cork, places) = (run::<Cork>(32, 20, 1), run::<Places>(32, 20, 1));
    assert!(per_read(&cork) > 2.0, "{}", per_read(&cork));
    assert!(per_read(&places) > 2.0, "{}", per_read(&places));
}

#[test]
fn who_comes_back_gets_what_it_missed_with_the_answer() {
    let (mut places, mut sockets) = (Places::default(), Sockets::listen().unwrap());
    for frame in [b"one", b"two", b"six"] {
        places.publish(3, frame, &mut sockets);
    }
    assert_eq!(places.follow(3, 0, Some(1)), b"twosix");
    assert_eq!(places.follow(3, 1, Some(3)), b"");
    assert_eq!(places.follow(3, 2, None), b"");
}
