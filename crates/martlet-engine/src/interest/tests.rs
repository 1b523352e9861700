use martlet_core::model::{ClientId, UnixMillis};
use martlet_core::time::Now;

use super::*;

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn question(name: &str) -> StoreRequest {
    StoreRequest::Exit { channel: channel(name), client: ClientId::new(1) }
}

fn second(n: u64) -> Instant {
    Now { instant: Instant(n * 1_000_000), wall: UnixMillis(0) }.instant
}

fn names(channels: Vec<ChannelName>) -> Vec<String> {
    let mut names: Vec<_> = channels.iter().map(ChannelName::to_string).collect();
    names.sort();
    names
}

#[test]
fn a_question_waits_until_its_channel_is_heard() {
    let mut interest = Interest::default();
    assert!(interest.park(StoreTicket(1), question("a")).is_some(), "nobody follows it");
    interest.follow(&channel("a"));
    assert!(interest.park(StoreTicket(1), question("a")).is_none());
    assert_eq!(names(interest.take_wanted(9)), ["a"]);
    assert!(interest.park(StoreTicket(2), question("a")).is_none());
    let released = interest.heard(&[channel("a")]);
    assert_eq!(released.parked.iter().map(|(ticket, _)| ticket.0).collect::<Vec<_>>(), [1, 2]);
    assert!(interest.park(StoreTicket(3), question("a")).is_some());
}

#[test]
fn many_are_taken_by_few_calls_and_each_once() {
    let mut interest = Interest::default();
    for n in 0..10 {
        interest.follow(&channel(&format!("c{n}")));
        interest.follow(&channel(&format!("c{n}")));
    }
    assert_eq!(interest.take_wanted(7).len(), 7);
    assert_eq!(interest.take_wanted(7).len(), 3);
    assert_eq!(interest.take_wanted(7).len(), 0);
    assert_eq!(interest.channels(), 10);
}

#[test]
fn whoever_comes_back_soon_is_still_heard() {
    let mut interest = Interest::default();
    interest.follow(&channel("a"));
    interest.follow(&channel("b"));
    interest.take_wanted(9);
    interest.heard(&[channel("a"), channel("b")]);
    interest.unfollow(second(1), &channel("a"));
    interest.unfollow(second(1), &channel("b"));
    assert!(!interest.wants(&channel("a")));
    interest.follow(&channel("a"));
    assert_eq!(interest.poll_timeout(), Some(second(6)));
    assert_eq!(names(interest.take_left(second(5), 9)), [""; 0]);
    assert_eq!(names(interest.take_left(second(6), 9)), ["b"]);
    assert!(interest.wants(&channel("a")));
    assert_eq!((interest.channels(), interest.poll_timeout()), (1, None));
}

#[test]
fn one_that_is_left_before_it_is_heard_is_unsubscribed_from_all_the_same() {
    let mut interest = Interest::default();
    interest.follow(&channel("a"));
    interest.take_wanted(9);
    interest.unfollow(second(1), &channel("a"));
    assert_eq!(names(interest.take_left(second(6), 9)), [""; 0]);
    interest.heard(&[channel("a")]);
    assert_eq!(names(interest.take_left(second(11), 9)), ["a"]);
    assert_eq!(interest.channels(), 0);
}

#[test]
fn after_a_loss_all_are_wanted_again_but_those_that_were_left() {
    let mut interest = Interest::default();
    for name in ["a", "b", "c"] {
        interest.follow(&channel(name));
    }
    interest.take_wanted(2);
    interest.heard(&[channel("a"), channel("b")]);
    assert!(interest.park(StoreTicket(1), question("c")).is_none());
    interest.unfollow(second(1), &channel("b"));
    interest.lost();
    assert_eq!(names(interest.take_wanted(9)), ["a", "c"]);
    assert_eq!(interest.take_parked().len(), 1);
    let released = interest.heard(&[channel("a"), channel("c")]);
    assert_eq!((released.parked.len(), names(released.doubted)), (0, vec!["a".to_owned()]));
    assert_eq!(names(interest.take_left(second(9), 9)), [""; 0]);
}
