//! Tokens and grants: the first one, fresh ones, and what is tried when one is refused.

use super::*;

fn with_token() -> Settings {
    Settings { token: Some("t1".into()), ..settings() }
}

fn with_source() -> Settings {
    Settings { renewable: true, ..settings() }
}

#[test]
fn a_grant_that_is_not_taken_gives_way_to_the_token() {
    for code in [Code::GrantExpired, Code::GrantInvalid] {
        let mut bench = Bench::connected(with_token());
        bench.pass(Duration::from_secs(10));
        let dialed = bench.come_back();
        assert_eq!(dialed["connect"]["grant"], "g1.x");
        bench.refuse(&dialed["id"], code, None);
        let states = bench.states();
        assert!(matches!(&states[..], [State::Disconnected { retry_in: Some(_), .. }]));
        bench.close(Code::Unauthorized, None);
        assert_eq!(bench.pass_to_deadline(), Duration::ZERO, "the token is at hand");
        let connect = bench.dialed()["connect"].clone();
        assert_eq!(connect, json!({"token": "t1", "agent": "test/1"}));
    }
}

#[test]
fn a_refused_token_ends_a_client_that_has_no_other() {
    let (mut bench, dialed) = Bench::begun(with_token());
    bench.refuse(&dialed["id"], Code::TokenExpired, None);
    let states = bench.states();
    let [State::Disconnected { why, retry_in: None }] = &states[..] else {
        panic!("{states:?}");
    };
    assert_eq!(why.code(), Some(Code::TokenExpired));
}

#[test]
fn a_refused_token_is_replaced_by_a_client_that_can() {
    let (mut bench, dialed) = Bench::begun(Settings { renewable: true, ..with_token() });
    bench.refuse(&dialed["id"], Code::TokenExpired, None);
    bench.outputs();
    bench.pass_to_deadline();
    assert!(bench.outputs().contains(&Output::Fetch(None)));
    bench.session.handle_token(bench.now, None, Ok("t2".into()));
    assert_eq!(bench.dialed()["connect"]["token"], "t2");
}

#[test]
fn the_first_token_is_fetched_before_dialling() {
    let mut bench = Bench::new(with_source());
    bench.session.start(bench.now);
    assert_eq!(bench.outputs(), [Output::State(State::Connecting), Output::Fetch(None)]);
    bench.session.handle_token(bench.now, None, Ok("t1".into()));
    assert_eq!(bench.dialed()["connect"]["token"], "t1");
}

#[test]
fn a_source_that_fails_is_asked_again() {
    let mut bench = Bench::new(with_source());
    bench.session.start(bench.now);
    bench.outputs();
    bench.session.handle_token(bench.now, None, Err(Error::Token("down".into())));
    let states = bench.states();
    assert!(matches!(
        &states[..],
        [State::Disconnected { why: Error::Token(_), retry_in: Some(_) }]
    ));
    bench.pass_to_deadline();
    assert!(bench.outputs().contains(&Output::Fetch(None)));
}

/// A client with a source, connected until an hour from now by the server's clock.
fn for_an_hour() -> Bench {
    let (mut bench, dialed) = Bench::begun(Settings { renewable: true, ..with_token() });
    bench.let_in_with(&dialed, json!({"expires": SERVER_TIME + 3_600_000}));
    bench.outputs();
    bench
}

/// Lets time pass as on a lively connection, until something is to be done.
fn live(bench: &mut Bench, time: Duration) -> Vec<Output> {
    let end = bench.now.instant.after(time);
    while bench.now.instant < end {
        bench.session.handle_heard(bench.now);
        bench.pass(Duration::from_secs(10));
        let outputs = bench.outputs();
        if !outputs.is_empty() {
            return outputs;
        }
    }
    Vec::new()
}

#[test]
fn a_token_is_replaced_before_it_ends() {
    let mut bench = for_an_hour();
    assert_eq!(live(&mut bench, Duration::from_secs(3_500)), []);
    assert_eq!(live(&mut bench, Duration::from_secs(60)), [Output::Fetch(None)]);
    bench.session.handle_token(bench.now, None, Ok("t2".into()));
    let sent = bench.sent();
    assert_eq!(sent[0]["refresh"], json!({"token": "t2"}));
    let expires = SERVER_TIME + 7_200_000;
    bench.tell(json!({"id": sent[0]["id"], "refreshed": {"expires": expires}}));
    assert_eq!(live(&mut bench, Duration::from_secs(3_500)), []);
    assert_eq!(live(&mut bench, Duration::from_secs(120)), [Output::Fetch(None)]);
}

#[test]
fn a_refused_replacement_is_tried_again() {
    let mut bench = for_an_hour();
    live(&mut bench, Duration::from_secs(3_600));
    bench.session.handle_token(bench.now, None, Ok("bad".into()));
    let id = bench.sent()[0]["id"].clone();
    bench.refuse(&id, Code::TokenInvalid, None);
    assert_eq!(bench.states(), [], "the old token runs on");
    bench.pass_to_deadline();
    assert_eq!(bench.outputs(), [Output::Fetch(None)]);
}

#[test]
fn after_the_end_of_a_token_it_comes_back_with_another() {
    let mut bench = for_an_hour();
    bench.close(Code::Expired, None);
    bench.outputs();
    bench.pass_to_deadline();
    assert!(bench.outputs().contains(&Output::Fetch(None)));
    bench.session.handle_token(bench.now, None, Ok("t2".into()));
    let connect = bench.dialed()["connect"].clone();
    assert_eq!(connect, json!({"token": "t2", "agent": "test/1"}));
}

fn room_token() -> Beginning {
    Beginning { token: Some("c1".into()), ..from_now() }
}

#[test]
fn a_channel_token_is_shown_until_the_grant_covers_the_channel() {
    let mut bench = Bench::connected(settings());
    bench.session.subscribe(channel("room:1"), room_token()).unwrap();
    let sent = bench.sent();
    assert_eq!(sent[0]["subscribe"][0]["token"], "c1");
    bench.subscribed(&sent[0]["id"], "room:1", 0, 0);
    let dialed = bench.come_back();
    assert_eq!(dialed["connect"]["subscribe"][0].get("token"), None);
    bench.let_in(&dialed);
    bench.refuse(&dialed["id"], Code::SubscribeDenied, Some("room:1"));
    assert_eq!(bench.told(), []);
    assert_eq!(bench.sent()[0]["subscribe"][0]["token"], "c1", "the grant did not cover it");
}

#[test]
fn without_the_grant_every_channel_token_is_shown_again() {
    let mut bench = Bench::connected(settings());
    bench.session.subscribe(channel("room:1"), room_token()).unwrap();
    let id = bench.sent()[0]["id"].clone();
    bench.subscribed(&id, "room:1", 0, 0);
    let dialed = bench.come_back();
    bench.refuse(&dialed["id"], Code::GrantExpired, None);
    bench.outputs();
    bench.pass_to_deadline();
    assert_eq!(bench.dialed()["connect"]["subscribe"][0]["token"], "c1");
}

#[test]
fn a_channel_token_that_ended_is_replaced_and_nothing_is_missed() {
    let mut bench = Bench::connected(settings());
    let beginning = Beginning { renewable: true, ..room_token() };
    bench.session.subscribe(channel("room:1"), beginning).unwrap();
    let id = bench.sent()[0]["id"].clone();
    bench.subscribed(&id, "room:1", 5, 5);
    bench.outputs();
    bench.tell(json!({"unsubscribed": {
        "channel": "room:1", "code": 1102, "name": "token_expired", "message": "x"
    }}));
    assert_eq!(bench.outputs(), [Output::Fetch(Some(channel("room:1")))]);
    bench.session.handle_token(bench.now, Some(channel("room:1")), Ok("c2".into()));
    let sent = bench.sent();
    let expected = json!([{"channel": "room:1", "token": "c2", "epoch": EPOCH, "offset": 5}]);
    assert_eq!(sent[0]["subscribe"], expected);
    bench.refuse(&sent[0]["id"], Code::TokenInvalid, Some("room:1"));
    let told = bench.told();
    assert!(matches!(&told[..], [SubscriptionEvent::Error(_)]), "a fresh one is not replaced");
}
