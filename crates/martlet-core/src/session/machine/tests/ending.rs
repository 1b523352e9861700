//! Detaching, coming back too late, leaving and closing.

use super::bench::*;
use super::*;

fn member_of_two() -> Bench {
    let mut bench = Bench::connected();
    bench.follow("a");
    bench.follow("b");
    bench
}

#[test]
fn a_lost_client_is_missed_by_nobody_yet() {
    let mut bench = member_of_two();
    bench.session.handle_detach(bench.now);
    let expected = ["lose a", "end a", "unfollow a", "lose b", "end b", "unfollow b"];
    assert_eq!(bench.words(), expected);
    assert!(!bench.session.ended() && bench.session.connected());
    assert_eq!(bench.session.channels().count(), 0);
}

#[test]
fn it_is_given_up_when_it_does_not_come_back() {
    let mut bench = member_of_two();
    bench.session.handle_detach(bench.now);
    bench.words();
    let expiry = rules().expiry;
    let until = bench.now.instant.after(expiry);
    assert_eq!(bench.session.poll_timeout(bench.now, Instant(0)), Some(until));
    bench.pass(expiry - Duration::from_micros(1));
    bench.timeout(Instant(0));
    assert!(!bench.session.ended(), "nobody is pinged who is not there");
    bench.pass(Duration::from_micros(1));
    assert!(bench.timeout(Instant(0)).is_empty());
    assert!(bench.session.ended());
}

#[test]
fn one_that_was_not_let_in_has_nothing_to_come_back_to() {
    let mut bench = Bench::new();
    bench.session.handle_detach(bench.now);
    assert!(bench.session.ended());
}

#[test]
fn what_was_asked_when_it_went_is_given_back() {
    let mut bench = Bench::connected();
    bench.subscribe(2, &["a"]);
    bench.say(3, Command::Publish(draft("a")));
    bench.session.handle_detach(bench.now);
    bench.followed("a");
    assert_eq!(bench.words(), ["unfollow a"]);
    bench.reply("publish a", published(1));
    assert_eq!(bench.words(), ["3 published a 1"], "let go while nobody is attached");
}

#[test]
fn who_leaves_has_left() {
    let mut bench = member_of_two();
    bench.session.leave();
    let expected = ["exit a", "end a", "unfollow a", "exit b", "end b", "unfollow b"];
    assert_eq!(bench.words(), expected);
    assert!(bench.session.ended());
}

#[test]
fn a_close_is_the_last_word_and_tells_when_to_come_back() {
    let mut bench = member_of_two();
    let after = Some(Duration::from_millis(700));
    bench.session.close(Close { after, ..Code::Shutdown.into() });
    let words = bench.words();
    let expected = ["lose a", "end a", "unfollow a", "lose b", "end b", "unfollow b"];
    assert_eq!(words[..6], expected, "it may come back");
    assert_eq!(words[6..], ["0 closing shutdown", "close shutdown"]);
    bench.session.close(Code::Failed.into());
    assert!(bench.words().is_empty(), "once");
}

#[test]
fn one_that_is_not_to_come_back_leaves_for_good() {
    let mut bench = member_of_two();
    bench.session.close(Code::Disconnected.into());
    assert_eq!(bench.words()[0], "exit a");
}

#[test]
fn after_the_close_nothing_is_told() {
    let mut bench = member_of_two();
    bench.say(3, Command::Publish(draft("a")));
    bench.say(4, refresh(None));
    bench.subscribe(5, &["c"]);
    bench.session.close(Code::Failed.into());
    bench.words();
    bench.reply("publish a", published(1));
    bench.verdict("ask token t", Verdict::Refused(Code::TokenInvalid.into()));
    bench.session.handle_lagged(name("a"), 1, 2);
    bench.session.handle_gap(gap("a", 1));
    bench.session.handle_refused(bench.now, 6, None, Code::Malformed);
    bench.command(7, Command::Ping);
    bench.pass(Duration::from_secs(999));
    assert!(bench.timeout(Instant(0)).is_empty());
    bench.followed("c");
    assert_eq!(bench.words(), ["unfollow c"], "but what was asked for is given back");
}

#[test]
fn a_verdict_on_one_that_has_gone_lets_nobody_in() {
    let mut bench = Bench::new();
    let token = Some("t".into());
    bench.say(1, Command::Connect(Connect { token, ..Connect::default() }));
    bench.session.handle_detach(bench.now);
    bench.verdict("ask token t", Verdict::Identity(Box::default()));
    assert!(bench.words().is_empty());
    assert!(bench.session.ended() && !bench.session.connected());
}

#[test]
fn who_goes_for_good_after_its_connection_was_lost_is_a_member_no_more() {
    let mut bench = member_of_two();
    bench.session.handle_detach(bench.now);
    bench.words();
    bench.session.leave();
    assert_eq!(bench.words(), ["exit a", "exit b"]);
    assert!(bench.session.ended());
    bench.session.leave();
    assert!(bench.words().is_empty(), "it has left");
}

#[test]
fn an_old_connection_is_asked_to_come_back_at_once() {
    let aged_at = Instant(60_000_000);
    let mut bench = Bench::with(rules(), Opening { aged_at, ..opening() });
    bench.say(1, Command::Connect(Connect::default()));
    let just_written_to = aged_at;
    assert_eq!(bench.session.poll_timeout(bench.now, just_written_to), Some(aged_at));
    bench.pass(Duration::from_micros(aged_at.0 - bench.now.instant.0 - 1));
    assert!(bench.timeout(just_written_to).is_empty(), "it is not old enough");
    bench.pass(Duration::from_micros(1));
    assert_eq!(bench.timeout(just_written_to), ["0 closing aged", "close aged"]);
    assert!(!bench.grant.is_empty(), "it has what it needs to come back");
}
