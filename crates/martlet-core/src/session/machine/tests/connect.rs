//! Being let in: by token, by grant, without either; and what is said before.

use super::bench::*;
use super::*;
use crate::model::UserId;
use crate::model::{NodeId, SessionPlace};

fn connect(token: Option<&str>, grant: Option<&str>) -> Command {
    let text = |text: &str| text.into();
    Command::Connect(Connect {
        token: token.map(text),
        grant: grant.map(text),
        ..Connect::default()
    })
}

/// A grant as another node of the cluster would have made it.
fn signed(client: u64, identity: Identity, channels: Vec<ChannelGrant>) -> Box<str> {
    GrantKey::new(GRANT_KEY).sign(&Grant {
        client: ClientId::new(client),
        issued: UnixMillis(1),
        expires: UnixMillis(200_000),
        identity,
        channels,
    })
}

#[test]
fn without_a_token_where_that_is_allowed() {
    let mut bench = Bench::new();
    assert!(!bench.session.connected());
    assert_eq!(bench.say(1, connect(None, None)), ["1 connected"]);
    assert!(bench.session.connected());
    assert_eq!(bench.session.identity(), &Identity::default());
}

#[test]
fn without_a_token_where_it_is_not() {
    let mut bench = Bench::with(Rules { anonymous: false, ..rules() }, opening());
    let words = bench.say(1, connect(None, None));
    assert_eq!(words, ["1 token_missing", "0 closing unauthorized", "close unauthorized"]);
    assert!(bench.session.ended());
}

#[test]
fn by_a_token() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(1, connect(Some("abc"), None)), ["ask token abc"]);
    assert!(!bench.session.connected());
    bench.verdict("ask token abc", Verdict::Identity(Box::new(user("ann"))));
    assert_eq!(bench.words(), ["1 connected"]);
    assert_eq!(bench.session.identity().user, UserId::parse("ann"));
    assert_eq!(bench.session.client(), ClientId::new(5));
    assert_eq!(bench.session.key(), opening().key);
}

#[test]
fn a_bad_token_is_told_why_and_sent_away() {
    for (code, close) in [(Code::TokenExpired, "unauthorized"), (Code::KeysUnavailable, "failed")] {
        let mut bench = Bench::new();
        bench.say(1, connect(Some("abc"), None));
        bench.verdict("ask token abc", Verdict::Refused(code.into()));
        let told = [format!("1 {}", code.name()), format!("0 closing {close}")];
        assert_eq!(bench.words()[..2], told);
        assert!(bench.session.ended());
        assert_eq!(bench.say(2, connect(None, None)), [""; 0], "nothing is heard any more");
    }
}

#[test]
fn by_a_grant_it_is_who_it_was_and_may_what_it_might() {
    let mut bench = Bench::new();
    let grants = vec![channel_grant("mine:a", &[Verb::Subscribe], None)];
    let grant = signed(77, user("ann"), grants);
    assert_eq!(bench.say(1, connect(None, Some(&grant))), ["ask grant"]);
    bench.verdict("ask grant", Verdict::Stands);
    assert_eq!(bench.words(), ["1 connected"], "without its session it is not resumed");
    assert_eq!(bench.session.client(), ClientId::new(77));
    assert_eq!(bench.session.identity().user, UserId::parse("ann"));
    assert_eq!(bench.subscribe(2, &["mine:a"]), ["follow mine:a"]);
}

#[test]
fn by_the_grant_that_it_was_given() {
    let mut first = Bench::identified(user("ann"));
    first.subscribe(2, &["open"]);
    let mut bench = Bench::new();
    bench.say(1, connect(None, Some(&first.grant)));
    bench.verdict("ask grant", Verdict::Stands);
    assert_eq!(bench.session.identity().user, UserId::parse("ann"));
}

#[test]
fn with_its_session_it_is_resumed_and_the_old_one_replaced() {
    let mut bench = Bench::new();
    let old = SessionKey::new(SessionPlace { node: NodeId::new(0), worker: 3, slot: 0 }, 33);
    let connect = Connect {
        grant: Some(signed(77, user("ann"), Vec::new())),
        session: Some(old),
        subscribe: vec![subscribe("a")],
        ..Connect::default()
    };
    bench.say(1, Command::Connect(connect));
    bench.verdict("ask grant", Verdict::Stands);
    assert_eq!(bench.words(), ["replace 3", "1 resumed", "follow a"]);
}

#[test]
fn a_session_is_not_replaced_on_a_tokens_word() {
    let mut bench = Bench::new();
    let session =
        Some(SessionKey::new(SessionPlace { node: NodeId::new(0), worker: 3, slot: 0 }, 33));
    bench.say(1, Command::Connect(Connect { session, ..Connect::default() }));
    assert!(bench.session.connected());
    bench.say(2, Command::Ping);
    assert!(!bench.words().iter().any(|word| word.starts_with("replace")));
}

#[test]
fn a_grant_that_is_not_good_is_refused() {
    let good = signed(77, user("ann"), Vec::new());
    let forged = good.replacen("g1.", "g1.A", 1);
    let mut bench = Bench::new();
    assert_eq!(bench.say(1, connect(None, Some(&forged)))[0], "1 grant_invalid");
    let mut bench = Bench::new();
    bench.pass(Duration::from_secs(100));
    assert_eq!(bench.say(1, connect(None, Some(&good)))[0], "1 grant_expired");
    let mut bench = Bench::new();
    bench.say(1, connect(None, Some(&good)));
    bench.verdict("ask grant", Verdict::Refused(Code::GrantInvalid.into()));
    assert_eq!(bench.words()[0], "1 grant_invalid", "it was taken back");
    assert!(bench.session.ended());
}

#[test]
fn a_verdict_that_fits_no_question_lets_nobody_in() {
    let good = signed(77, user("ann"), Vec::new());
    for verdict in
        [Verdict::Identity(Box::new(user("eve"))), Verdict::Channel(channel_grant("a", &[], None))]
    {
        let mut bench = Bench::new();
        bench.say(1, connect(None, Some(&good)));
        bench.verdict("ask grant", verdict);
        assert_eq!(bench.words()[0], "1 internal");
        assert!(bench.session.ended());
    }
    let mut bench = Bench::new();
    bench.say(1, connect(Some("t"), None));
    bench.verdict("ask token t", Verdict::Stands);
    assert_eq!(bench.words()[0], "1 internal");
}

#[test]
fn the_first_word_is_connect_and_it_is_said_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(7, Command::Ping), ["7 not_connected"]);
    bench.say(1, connect(None, None));
    assert_eq!(bench.say(2, connect(None, None)), ["2 already_connected"]);
    let mut bench = Bench::new();
    bench.say(1, connect(Some("t"), None));
    assert_eq!(bench.say(2, connect(Some("t"), None)), ["2 already_connected"]);
}

#[test]
fn what_is_said_while_the_token_is_looked_at_is_done_after() {
    let mut bench = Bench::new();
    let first =
        Connect { token: Some("t".into()), subscribe: vec![subscribe("a")], ..Connect::default() };
    bench.say(1, Command::Connect(first));
    assert!(bench.subscribe(2, &["b"]).is_empty());
    bench.command(3, Command::Ping);
    bench.command(4, Command::Publish(draft("a")));
    bench.command(5, history("a", 10));
    assert_eq!(bench.say(6, Command::Ping), ["6 too_many_commands"]);
    bench.verdict("ask token t", Verdict::Identity(Box::default()));
    let expected =
        ["1 connected", "follow a", "follow b", "3 pong 100000", "publish a", "read a 10"];
    assert_eq!(bench.words(), expected);
}

#[test]
fn what_was_said_before_a_refusal_is_not_done() {
    let mut bench = Bench::new();
    bench.say(1, connect(Some("t"), None));
    bench.command(2, Command::Publish(draft("a")));
    bench.verdict("ask token t", Verdict::Refused(Code::TokenInvalid.into()));
    let expected = ["1 token_invalid", "0 closing unauthorized", "close unauthorized"];
    assert_eq!(bench.words(), expected);
}

#[test]
fn channels_that_the_token_names_are_followed_unless_the_client_says_where_from() {
    let identity = Identity { channels: vec![name("mine:a"), name("mine:b")], ..user("ann") };
    let mut bench = Bench::new();
    let first = Connect {
        token: Some("t".into()),
        subscribe: vec![subscribe("mine:b"), subscribe("mine:c")],
        ..Connect::default()
    };
    bench.say(1, Command::Connect(first));
    bench.verdict("ask token t", Verdict::Identity(Box::new(identity)));
    let expected = ["1 connected", "follow mine:b", "1 subscribe_denied mine:c", "follow mine:a"];
    assert_eq!(bench.words(), expected);
    bench.followed("mine:a");
    assert_eq!(bench.words()[0], "0 subscribed mine:a 3", "nobody asked for it by number");
}

#[test]
fn a_client_that_says_nothing_is_sent_away() {
    let mut bench = Bench::new();
    let timeout = rules().limits.connect_timeout;
    let at = bench.now.instant.after(timeout);
    assert_eq!(bench.session.poll_timeout(bench.now, Instant(0)), Some(at));
    bench.pass(timeout - Duration::from_micros(1));
    assert!(bench.timeout(Instant(0)).is_empty());
    bench.pass(Duration::from_micros(1));
    let expected = ["0 closing connect_timeout", "close connect_timeout"];
    assert_eq!(bench.timeout(Instant(0)), expected);
    assert_eq!(bench.session.poll_timeout(bench.now, Instant(0)), None);
}

#[test]
fn one_that_is_to_come_later_is_told_when_and_is_not_let_in() {
    let mut bench = Bench::new();
    bench.say(1, connect(Some("abc"), None));
    bench.verdict("ask token abc", Verdict::Later(Duration::from_secs(3)));
    let outputs: Vec<_> = std::iter::from_fn(|| bench.session.poll_output()).collect();
    let close = Close { after: Some(Duration::from_secs(3)), ..Code::Busy.into() };
    let told = Answer { id: 0, event: Event::Closing(close.clone()) };
    assert_eq!(outputs, [Output::Tell(told), Output::Close(close)]);
    assert!(bench.session.ended());
}
