//! Tokens that end, tokens for channels, and newer ones.

use super::bench::*;
use super::*;

const SOON: u64 = 101_000;
const LATER: u64 = 105_000;

fn until(expires: u64) -> Identity {
    Identity { expires: Some(UnixMillis(expires)), ..user("ann") }
}

fn identity(identity: Identity) -> Verdict {
    Verdict::Identity(Box::new(identity))
}

#[test]
fn the_connection_ends_with_its_token() {
    let mut bench = Bench::identified(until(SOON));
    let at = bench.now.instant.after(Duration::from_secs(1));
    assert_eq!(bench.session.poll_timeout(bench.now, bench.now.instant), Some(at));
    bench.pass(Duration::from_millis(999));
    let sent_at = bench.now.instant;
    assert!(bench.timeout(sent_at).is_empty());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.timeout(sent_at), ["0 closing expired", "close expired"]);
}

#[test]
fn a_newer_token_lets_it_stay() {
    let mut bench = Bench::identified(until(SOON));
    assert_eq!(bench.say(2, refresh(None)), ["ask token t"]);
    bench.verdict("ask token t", identity(until(LATER)));
    let expected = [format!("2 refreshed {LATER}"), format!("0 grant {LATER}")];
    assert_eq!(bench.words(), expected);
    bench.pass(Duration::from_secs(2));
    let sent_at = bench.now.instant;
    assert!(bench.timeout(sent_at).is_empty());
}

#[test]
fn a_newer_token_is_of_the_same_user_and_good() {
    let mut bench = Bench::identified(until(SOON));
    bench.say(2, refresh(None));
    bench.verdict("ask token t", identity(user("eve")));
    assert_eq!(bench.words(), ["2 token_mismatch"]);
    bench.say(3, refresh(None));
    bench.verdict("ask token t", Verdict::Refused(Code::TokenInvalid.into()));
    assert_eq!(bench.words(), ["3 token_invalid"]);
    assert_eq!(bench.session.identity(), &until(SOON), "it stays who it was");
    assert!(!bench.session.ended());
}

#[test]
fn a_channel_may_have_a_token_of_its_own() {
    let mut bench = Bench::identified(user("ann"));
    let list = vec![with_token("mine:a"), with_token("mine:b")];
    assert_eq!(bench.say(2, Command::Subscribe(list)), ["ask mine:a", "ask mine:b"]);
    let verbs = [Verb::Subscribe, Verb::Publish];
    bench.verdict("ask mine:a", Verdict::Channel(channel_grant("mine:a", &verbs, Some(LATER))));
    assert_eq!(bench.words(), ["follow mine:a", "0 grant 3700000"]);
    bench.verdict("ask mine:b", Verdict::Refused(Code::TokenMismatch.into()));
    assert_eq!(bench.words(), ["2 token_mismatch mine:b"]);
    assert_eq!(bench.say(3, Command::Publish(draft("mine:a"))), ["publish mine:a"]);
    let denied = bench.say(4, Command::Publish(draft("mine:b")));
    assert_eq!(denied, ["4 publish_denied mine:b"]);
    let kept = GrantKey::new(GRANT_KEY).verify(bench.now.wall, &bench.grant).unwrap();
    assert_eq!(kept.channels, [channel_grant("mine:a", &verbs, Some(LATER))]);
}

#[test]
fn a_token_that_does_not_permit_to_follow_is_not_enough() {
    let mut bench = Bench::identified(user("ann"));
    bench.say(2, Command::Subscribe(vec![with_token("mine:a")]));
    let publish_only = channel_grant("mine:a", &[Verb::Publish], None);
    bench.verdict("ask mine:a", Verdict::Channel(publish_only));
    assert_eq!(bench.words()[0], "2 subscribe_denied mine:a");
}

#[test]
fn a_subscription_ends_with_the_token_for_its_channel() {
    let mut bench = Bench::identified(user("ann"));
    for channel in ["mine:a", "open"] {
        bench.say(2, Command::Subscribe(vec![with_token(channel)]));
        let grant = channel_grant(channel, &[Verb::Subscribe], Some(SOON));
        bench.verdict(&format!("ask {channel}"), Verdict::Channel(grant));
        bench.words();
        bench.followed(channel);
        bench.words();
    }
    bench.pass(Duration::from_secs(1));
    let sent_at = bench.now.instant;
    let expected = ["end mine:a", "unfollow mine:a", "0 unsubscribed mine:a token_expired"];
    assert_eq!(bench.timeout(sent_at), expected, "the other is open to anyone");
    let next = bench.session.poll_timeout(bench.now, sent_at);
    assert!(next > Some(bench.now.instant), "what has expired does so once");
    assert!(!bench.session.ended());
    assert_eq!(bench.subscribe(3, &["mine:a"]), ["3 subscribe_denied mine:a"]);
}

#[test]
fn a_newer_token_for_the_channel_lets_it_go_on() {
    let mut bench = Bench::identified(user("ann"));
    bench.say(2, Command::Subscribe(vec![with_token("mine:a")]));
    let grant = |expires| Verdict::Channel(channel_grant("mine:a", &[Verb::Subscribe], expires));
    bench.verdict("ask mine:a", grant(Some(SOON)));
    bench.words();
    bench.followed("mine:a");
    bench.words();
    assert_eq!(bench.say(3, refresh(Some("mine:a"))), ["ask mine:a"]);
    bench.verdict("ask mine:a", grant(Some(LATER)));
    assert_eq!(bench.words()[0], format!("3 refreshed {LATER} mine:a"));
    bench.pass(Duration::from_secs(1));
    let sent_at = bench.now.instant;
    assert!(bench.timeout(sent_at).is_empty());
    bench.say(4, refresh(Some("mine:a")));
    bench.verdict("ask mine:a", Verdict::Refused(Code::TokenExpired.into()));
    assert_eq!(bench.words(), ["4 token_expired mine:a"]);
}

#[test]
fn of_too_many_tokens_for_channels_the_unused_go_first() {
    let mut bench = Bench::identified(user("ann"));
    for channel in ["mine:a", "mine:b", "mine:c", "mine:d", "mine:e"] {
        bench.say(2, refresh(Some(channel)));
        let grant = channel_grant(channel, &[Verb::Subscribe], None);
        bench.verdict(&format!("ask {channel}"), Verdict::Channel(grant));
        bench.words();
        if channel == "mine:a" {
            bench.follow(channel);
        }
    }
    let kept = GrantKey::new(GRANT_KEY).verify(bench.now.wall, &bench.grant).unwrap();
    let kept: Vec<_> = kept.channels.iter().map(|grant| grant.channel.to_string()).collect();
    assert_eq!(kept, ["mine:a", "mine:d", "mine:e"]);
}

#[test]
fn a_token_that_is_looked_at_when_the_client_goes_begins_nothing() {
    for end in [Session::handle_detach as fn(&mut Session, Now), |session, _| session.leave()] {
        let mut bench = Bench::identified(user("ann"));
        bench.say(2, Command::Subscribe(vec![with_token("mine:a")]));
        end(&mut bench.session, bench.now);
        let grant = channel_grant("mine:a", &[Verb::Subscribe], None);
        bench.verdict("ask mine:a", Verdict::Channel(grant));
        assert!(!bench.words().iter().any(|word| word.starts_with("follow")));
    }
}
