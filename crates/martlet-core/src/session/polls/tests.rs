//! Polls one after the other, over each other, repeated, late and never.

use super::*;

const PATIENCE: Duration = Duration::from_secs(35);
const WAIT: Duration = Duration::from_secs(25);

fn at(seconds: u64) -> Instant {
    Instant(0).after(Duration::from_secs(seconds))
}

fn batch(number: u32, bytes: &'static str) -> Polled {
    Polled::Batch { number, bytes: bytes.into() }
}

fn begun() -> Polls<u32> {
    Polls::begin(at(0), PATIENCE, 1, WAIT, false)
}

fn answers(polls: &mut Polls<u32>) -> Vec<(u32, Polled)> {
    std::iter::from_fn(|| polls.poll_output()).collect()
}

#[test]
fn each_poll_gets_the_next_batch() {
    let mut polls = begun();
    assert!(polls.waiting());
    polls.handle_written(at(1), "a".into());
    assert!(!polls.waiting());
    polls.handle_poll(at(2), 1, 2, WAIT);
    assert_eq!(polls.kept, Bytes::new(), "what is acknowledged is not kept");
    polls.handle_written(at(3), "b".into());
    assert_eq!(answers(&mut polls), [(1, batch(1, "a")), (2, batch(2, "b"))]);
}

#[test]
fn a_batch_whose_answer_was_lost_is_sent_again_as_it_was() {
    let mut polls = begun();
    polls.handle_written(at(1), "a".into());
    polls.handle_poll(at(2), 0, 2, WAIT);
    polls.handle_poll(at(3), 0, 3, WAIT);
    assert_eq!(answers(&mut polls), [(1, batch(1, "a")), (2, batch(1, "a")), (3, batch(1, "a"))]);
    assert!(!polls.waiting());
}

#[test]
fn a_poll_that_names_what_never_was_is_unknown() {
    let mut polls = begun();
    polls.handle_written(at(1), "a".into());
    polls.handle_poll(at(2), 7, 2, WAIT);
    polls.handle_poll(at(2), 1, 3, WAIT);
    polls.handle_written(at(3), "b".into());
    polls.handle_poll(at(3), 0, 4, WAIT);
    let answers = answers(&mut polls);
    assert_eq!(answers[1], (2, Polled::Unknown));
    assert_eq!(answers[3], (4, Polled::Unknown));
}

#[test]
fn a_newer_poll_takes_the_place_of_an_older() {
    let mut polls = begun();
    polls.handle_poll(at(1), 0, 2, WAIT);
    assert_eq!(answers(&mut polls), [(1, Polled::Nothing { number: 0 })]);
    polls.handle_written(at(2), "a".into());
    assert_eq!(answers(&mut polls), [(2, batch(1, "a"))]);
}

#[test]
fn a_wait_ends_and_a_hurried_poll_does_not_wait() {
    let mut polls = begun();
    polls.handle_dry(at(1));
    polls.handle_timeout(at(24));
    assert!(polls.waiting());
    assert_eq!(polls.poll_timeout(), at(25));
    polls.handle_timeout(at(25));
    assert_eq!(answers(&mut polls), [(1, Polled::Nothing { number: 0 })]);
    polls.handle_poll(at(26), 0, 2, Duration::ZERO);
    assert!(polls.waiting(), "there may be something");
    polls.handle_dry(at(26));
    assert_eq!(answers(&mut polls), [(2, Polled::Nothing { number: 0 })]);
}

#[test]
fn a_client_that_polls_no_more_is_gone() {
    let mut polls = begun();
    assert!(!polls.silent(at(1_000)), "a poll waits");
    polls.handle_gone(at(3), |ticket| *ticket == 2);
    assert!(polls.waiting(), "somebody else is gone");
    polls.handle_gone(at(3), |ticket| *ticket == 1);
    assert_eq!(polls.poll_timeout(), at(38));
    assert!(!polls.silent(at(37)) && polls.silent(at(38)));
    assert!(answers(&mut polls).is_empty(), "nobody hears an answer");
}

#[test]
fn what_is_written_while_nobody_waits_is_kept_for_the_next_poll() {
    let mut polls = begun();
    polls.handle_gone(at(1), |_| true);
    polls.handle_written(at(2), "a".into());
    polls.handle_poll(at(3), 0, 2, WAIT);
    assert_eq!(answers(&mut polls), [(2, batch(1, "a"))]);
}
