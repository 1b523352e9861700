//! Polls one after the other, over each other, repeated, late and never.

use proptest::prelude::*;

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

#[test]
fn the_poll_of_who_goes_is_answered() {
    let mut polls = begun();
    polls.handle_leave(at(1));
    assert_eq!(answers(&mut polls), [(1, Polled::Nothing { number: 0 })]);
    polls.handle_leave(at(2));
    assert!(answers(&mut polls).is_empty());
}

/// What happens to a client's polls on a bad network.
#[derive(Debug, Clone, Copy)]
enum Luck {
    /// Something is written, if a poll waits for it.
    Written,
    /// The client hears the oldest answer that is under way, and polls on.
    Heard,
    /// An answer that is under way is lost, and the client asks again.
    Lost,
    /// A poll comes twice.
    Twice,
    /// Time passes.
    Late,
    /// The connection of the poll that waits is gone, and the client asks again.
    Gone,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        4 => Just(Luck::Written),
        4 => Just(Luck::Heard),
        1 => Just(Luck::Lost),
        1 => Just(Luck::Twice),
        1 => Just(Luck::Late),
        1 => Just(Luck::Gone),
    ]
}

/// A client that polls by the rules, and what it has.
struct Client {
    polls: Polls<u32>,
    now: u64,
    have: u32,
    tickets: u32,
    /// Answers under way, oldest first.
    coming: VecDeque<Polled>,
    has: Vec<u8>,
    written: Vec<u8>,
}

impl Client {
    fn poll(&mut self) {
        self.tickets += 1;
        self.polls.handle_poll(at(self.now), self.have, self.tickets, WAIT);
    }

    fn hear(&mut self, polled: &Polled) {
        match polled {
            Polled::Batch { number, bytes } if *number == self.have + 1 => {
                self.have = *number;
                self.has.extend_from_slice(bytes);
            }
            // One that it has already, which a repeated poll brought.
            Polled::Batch { number, .. } => assert!(*number <= self.have),
            Polled::Nothing { number } => assert!(*number <= self.have + 1),
            Polled::Unknown => panic!("a client that keeps the rules is never unknown"),
        }
    }

    fn meet(&mut self, luck: Luck) {
        self.now += 1;
        match luck {
            Luck::Written if self.polls.waiting() => {
                let byte = self.written.len() as u8;
                self.written.push(byte);
                self.polls.handle_written(at(self.now), Bytes::copy_from_slice(&[byte]));
            }
            Luck::Written => {}
            Luck::Heard => {
                if let Some(polled) = self.coming.pop_front() {
                    self.hear(&polled);
                    self.poll();
                }
            }
            Luck::Lost => {
                self.coming.pop_front();
                self.poll();
            }
            Luck::Twice => {
                self.poll();
                self.poll();
            }
            Luck::Late => {
                self.now += 30;
                self.polls.handle_timeout(at(self.now));
            }
            Luck::Gone => {
                self.polls.handle_gone(at(self.now), |_| true);
                self.poll();
            }
        }
        self.coming.extend(answers(&mut self.polls).into_iter().map(|(_, polled)| polled));
    }
}

proptest! {
    #[test]
    fn whatever_is_lost_repeated_or_late_a_client_has_each_byte_once(
        lucks in proptest::collection::vec(luck(), 0..80)
    ) {
        let (coming, has, written) = (VecDeque::new(), Vec::new(), Vec::new());
        let mut client = Client { polls: begun(), now: 0, have: 0, tickets: 1, coming, has, written };
        for luck in lucks {
            client.meet(luck);
            prop_assert!(client.written.starts_with(&client.has));
            prop_assert!(client.written.len() <= client.has.len() + 1, "one batch is kept");
        }
        // In the end the network is good.
        for _ in 0..client.coming.len() + 2 {
            client.meet(Luck::Heard);
        }
        client.poll();
        client.meet(Luck::Heard);
        prop_assert_eq!(&client.has, &client.written);
    }
}
