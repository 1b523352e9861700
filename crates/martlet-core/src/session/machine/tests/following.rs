//! Subscriptions: beginning, ending, and ending before they began.

use super::bench::*;
use super::*;
use crate::session::Reply;

#[test]
fn it_is_told_before_its_stream_begins_and_then_enters() {
    let mut bench = Bench::connected();
    assert_eq!(bench.subscribe(2, &["a"]), ["follow a"]);
    assert_eq!(bench.session.channels().count(), 0);
    bench.followed("a");
    assert_eq!(bench.words(), ["2 subscribed a 3", "begin a 3", "enter a"]);
    assert_eq!(bench.session.channels().collect::<Vec<_>>(), [&name("a")]);
}

#[test]
fn without_presence_it_does_not_enter() {
    let mut bench = Bench::identified(user("ann"));
    assert_eq!(bench.follow("user:a"), ["2 subscribed user:a 3", "begin user:a 3"]);
    assert_eq!(bench.unsubscribe(3, &["user:a"])[..2], ["end user:a", "unfollow user:a"]);
}

#[test]
fn a_gap_is_told_between() {
    let mut bench = Bench::connected();
    bench.subscribe(2, &["a"]);
    let followed = Followed {
        channel: name("a"),
        begin: at(5),
        head: at(4),
        gap: Some(gap("a", 2)),
        recovered: false,
    };
    bench.reply("follow a", Reply::Followed(followed));
    let expected = ["2 subscribed a 5", "0 gap a 2", "begin a 5", "enter a"];
    assert_eq!(bench.words(), expected);
}

#[test]
fn each_channel_is_answered_by_itself() {
    let mut bench = Bench::connected();
    let words = bench.subscribe(2, &["a", "mine:b", "c"]);
    assert_eq!(words, ["follow a", "2 token_missing mine:b", "follow c"]);
    bench.reply("follow c", Reply::Refused(Code::NodeFull.into()));
    bench.followed("a");
    assert_eq!(bench.words()[..2], ["2 node_full c", "2 subscribed a 3"]);
    assert_eq!(bench.subscribe(3, &["c"]), ["follow c"], "a refused one may be tried again");
}

#[test]
fn twice_is_refused_also_before_the_owner_answered() {
    let mut bench = Bench::connected();
    assert_eq!(bench.subscribe(2, &["a", "a"]), ["follow a", "2 already_subscribed a"]);
    bench.followed("a");
    bench.words();
    assert_eq!(bench.subscribe(3, &["a"]), ["3 already_subscribed a"]);
}

#[test]
fn more_than_the_limit_is_refused() {
    let mut bench = Bench::connected();
    let words = bench.subscribe(2, &["a", "b", "c", "d"]);
    assert_eq!(words.last().unwrap(), "2 too_many_channels d");
    bench.unsubscribe(3, &["a"]);
    assert_eq!(bench.subscribe(4, &["d"]), ["follow d"]);
}

#[test]
fn an_end_is_told_after_the_stream_has_ended() {
    let mut bench = Bench::connected();
    bench.follow("a");
    let words = bench.unsubscribe(3, &["a", "b"]);
    let expected = ["exit a", "end a", "unfollow a", "3 unsubscribed a", "3 not_subscribed b"];
    assert_eq!(words, expected);
    assert_eq!(bench.session.channels().count(), 0);
}

#[test]
fn an_end_before_the_beginning_gives_the_owner_its_follower_back() {
    let mut bench = Bench::connected();
    bench.subscribe(2, &["a"]);
    assert_eq!(bench.unsubscribe(3, &["a"]), ["3 unsubscribed a"]);
    bench.followed("a");
    assert_eq!(bench.words(), ["2 not_subscribed a", "unfollow a"], "2 is answered too");
}

#[test]
fn a_beginning_after_such_an_end_is_a_new_one() {
    let mut bench = Bench::connected();
    bench.subscribe(2, &["a"]);
    let first = bench.asked["follow a"];
    bench.unsubscribe(3, &["a"]);
    assert_eq!(bench.subscribe(4, &["a"]), ["follow a"]);
    let second = bench.asked.insert("follow a".into(), first).unwrap();
    bench.followed("a");
    assert_eq!(bench.words(), ["2 not_subscribed a", "unfollow a"]);
    bench.asked.insert("follow a".into(), second);
    bench.followed("a");
    assert_eq!(bench.words(), ["4 subscribed a 3", "begin a 3", "enter a"]);
}

#[test]
fn the_backend_may_begin_and_end_it() {
    let mut bench = Bench::connected();
    bench.session.follow_by_backend(bench.now, name("mine:a"));
    assert_eq!(bench.words(), ["follow mine:a", "0 grant 3700000"]);
    bench.session.follow_by_backend(bench.now, name("mine:a"));
    assert!(bench.words().is_empty());
    bench.followed("mine:a");
    assert_eq!(bench.words(), ["0 subscribed mine:a 3", "begin mine:a 3"]);
    assert_eq!(bench.say(2, history("mine:a", 1)), ["read mine:a 1"], "it may read there too");
    assert!(bench.session.end_subscription(&name("mine:a"), Code::SubscriptionEnded.into()));
    let expected = ["end mine:a", "unfollow mine:a", "0 unsubscribed mine:a subscription_ended"];
    assert_eq!(bench.words(), expected);
    assert!(!bench.session.end_subscription(&name("mine:a"), Code::SubscriptionEnded.into()));
    assert_eq!(bench.subscribe(3, &["mine:a"]), ["3 token_missing mine:a"], "and no more");
}

#[test]
fn nobody_is_made_to_follow_before_it_is_let_in() {
    let mut bench = Bench::new();
    bench.session.follow_by_backend(bench.now, name("a"));
    assert!(bench.words().is_empty());
}

#[test]
fn lagging_and_gaps_are_told() {
    let mut bench = Bench::connected();
    bench.follow("a");
    bench.session.handle_lagged(name("a"), 3, 9);
    bench.session.handle_gap(gap("a", 4));
    assert_eq!(bench.words(), ["0 lagged a 3 9", "0 gap a 4"]);
}

#[test]
fn a_namespace_may_rather_close_those_it_cannot_catch_up() {
    let mut bench = Bench::connected();
    bench.follow("strict:a");
    bench.session.handle_lagged(name("strict:a"), 3, 9);
    assert_eq!(bench.words().last().unwrap(), "close lagged");
    let mut bench = Bench::connected();
    bench.follow("patient:a");
    bench.session.handle_lagged(name("patient:a"), 3, 9);
    assert_eq!(bench.words(), ["0 lagged patient:a 3 9"], "this one can be caught up");
}

#[test]
fn being_made_to_follow_takes_no_permission_away() {
    let mut bench = Bench::connected();
    bench.say(2, refresh(Some("mine:a")));
    let grant = channel_grant("mine:a", &[Verb::Publish], None);
    bench.verdict("ask mine:a", Verdict::Channel(grant));
    bench.session.follow_by_backend(bench.now, name("mine:a"));
    bench.words();
    assert_eq!(bench.say(3, Command::Publish(draft("mine:a"))), ["publish mine:a"]);
}
