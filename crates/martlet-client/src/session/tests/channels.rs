//! Following channels: duplicates, holes, gaps, slow readers, and being refused.

use super::*;

#[test]
fn publications_come_once_and_in_order() {
    let mut bench = Bench::following("news");
    for offset in [11, 12, 12, 11, 10, 13] {
        bench.tell(publication("news", offset));
    }
    assert_eq!(bench.offsets(), [11, 12, 13]);
}

#[test]
fn channels_asked_for_together_go_in_one_frame() {
    let mut bench = Bench::connected(settings());
    bench.session.subscribe(channel("a"), from_now()).unwrap();
    let since = Beginning { start: Start::Since(UnixMillis(77)), ..from_now() };
    bench.session.subscribe(channel("b"), since).unwrap();
    let sent = bench.sent();
    assert_eq!(sent[0]["subscribe"], json!([{"channel": "a"}]));
    assert_eq!(sent[1]["subscribe"], json!([{"channel": "b", "since": 77}]));
    assert_eq!(bench.sent(), Vec::<Value>::new());
}

#[test]
fn one_channel_is_followed_once() {
    let mut bench = Bench::following("news");
    let again = bench.session.subscribe(channel("news"), from_now());
    assert_eq!(again, Err(Error::AlreadySubscribed(channel("news"))));
}

#[test]
fn a_hole_that_nobody_explains_is_asked_for_again() {
    let mut bench = Bench::following("news");
    bench.tell(publication("news", 11));
    bench.tell(publication("news", 14));
    bench.tell(publication("news", 15));
    assert_eq!(bench.offsets(), [11]);
    let sent = bench.sent();
    assert_eq!(sent[0]["unsubscribe"], json!(["news"]));
    assert_eq!(sent[1]["subscribe"], json!([{"channel": "news", "epoch": EPOCH, "offset": 11}]));
    bench.subscribed(&sent[1]["id"], "news", 11, 15);
    (12..=15).for_each(|offset| bench.tell(publication("news", offset)));
    assert_eq!(bench.offsets(), [12, 13, 14, 15]);
}

#[test]
fn a_hole_that_stays_is_told_as_a_gap() {
    let mut bench = Bench::following("news");
    bench.tell(publication("news", 14));
    let sent = bench.sent();
    bench.subscribed(&sent[1]["id"], "news", 10, 14);
    bench.outputs();
    bench.tell(publication("news", 14));
    let told = bench.told();
    let [SubscriptionEvent::Gap(gap), SubscriptionEvent::Publication(_)] = &told[..] else {
        panic!("told {told:?}");
    };
    assert_eq!((gap.from, gap.to), (11, Some(13)));
    bench.tell(publication("news", 15));
    assert_eq!(bench.offsets(), [15]);
}

#[test]
fn an_epoch_that_nobody_explains_is_asked_about() {
    let mut bench = Bench::following("news");
    bench.tell(publication("news", 11).replace(EPOCH, "00000001"));
    assert_eq!(bench.offsets(), [0; 0]);
    let sent = bench.sent();
    assert_eq!(sent[1]["subscribe"][0]["epoch"], EPOCH);
    assert_eq!(sent[1]["subscribe"][0]["offset"], 10);
}

#[test]
fn the_stream_goes_on_behind_a_gap() {
    let mut bench = Bench::following("news");
    bench.tell(json!({"gap": {
        "channel": "news", "from": 11, "reason": "epoch", "epoch": "00000001", "offset": 3
    }}));
    bench.tell(publication("news", 4).replace(EPOCH, "00000001"));
    let told = bench.told();
    assert!(matches!(&told[0], SubscriptionEvent::Gap(gap) if gap.to.is_none()));
    assert!(matches!(&told[1], SubscriptionEvent::Publication(p) if p.position.offset == 4));
    assert_eq!(bench.come_back()["connect"]["subscribe"][0]["offset"], 4);
}

#[test]
fn answers_and_publications_of_an_older_subscription_are_ignored() {
    let mut bench = Bench::connected(settings());
    bench.session.subscribe(channel("news"), from_now()).unwrap();
    let first = bench.sent()[0]["id"].clone();
    bench.session.unsubscribe(&channel("news"));
    bench.session.subscribe(channel("news"), from_now()).unwrap();
    let sent = bench.sent();
    bench.subscribed(&first, "news", 10, 10);
    bench.tell(publication("news", 11));
    assert_eq!(bench.told(), []);
    bench.subscribed(&sent[1]["id"], "news", 20, 20);
    bench.tell(publication("news", 21));
    assert_eq!(bench.offsets(), [21]);
}

#[test]
fn joins_leaves_and_lags_are_passed_on() {
    let mut bench = Bench::following("news");
    let member = json!({"channel": "news", "client": CLIENT, "user": "bob"});
    bench.tell(json!({ "join": member }));
    bench.tell(json!({ "leave": member }));
    bench.tell(json!({"lagged": {"channel": "news", "offset": 10, "head": 90}}));
    let told = bench.told();
    assert!(matches!(
        &told[..],
        [
            SubscriptionEvent::Join(_),
            SubscriptionEvent::Leave(_),
            SubscriptionEvent::Lagged { offset: 10, head: 90 }
        ]
    ));
}

#[test]
fn a_reader_that_is_full_is_left_and_caught_up_later() {
    let mut bench = Bench::following("news");
    bench.tell(publication("news", 11));
    bench.tell(publication("news", 12));
    let outputs = bench.outputs();
    let Output::Event { before, .. } = &outputs[1] else { panic!("{outputs:?}") };
    bench.session.pause(&channel("news"), *before);
    assert_eq!(bench.sent()[0]["unsubscribe"], json!(["news"]));
    bench.tell(publication("news", 13));
    assert_eq!(bench.told(), []);
    bench.session.go_on(&channel("news"));
    let sent = bench.sent();
    assert_eq!(sent[0]["subscribe"], json!([{"channel": "news", "epoch": EPOCH, "offset": 11}]));
    bench.subscribed(&sent[0]["id"], "news", 11, 13);
    bench.tell(publication("news", 12));
    let told = bench.told();
    assert_eq!(told[0], SubscriptionEvent::Lagged { offset: 11, head: 13 });
    assert!(matches!(&told[1], SubscriptionEvent::Publication(_)));
}

#[test]
fn a_paused_channel_is_not_asked_for_when_coming_back() {
    let mut bench = Bench::following("news");
    bench.session.pause(&channel("news"), Start::Now);
    assert_eq!(bench.come_back()["connect"].get("subscribe"), None);
}

#[test]
fn a_refused_channel_ends_and_the_others_do_not() {
    let mut bench = Bench::new(settings());
    bench.session.subscribe(channel("a"), from_now()).unwrap();
    bench.session.subscribe(channel("b"), from_now()).unwrap();
    bench.session.start(bench.now);
    let dialed = bench.dialed();
    bench.let_in(&dialed);
    bench.refuse(&dialed["id"], Code::SubscribeDenied, Some("a"));
    bench.subscribed(&dialed["id"], "b", 0, 0);
    bench.tell(publication("b", 1));
    let told = bench.told();
    let [SubscriptionEvent::Error(why), SubscriptionEvent::Subscribed(_), _] = &told[..] else {
        panic!("told {told:?}");
    };
    assert_eq!(why.code(), Some(Code::SubscribeDenied));
    assert_eq!(bench.session.subscribe(channel("a"), from_now()), Ok(()), "it may be tried again");
}

#[test]
fn a_channel_refused_for_now_is_asked_for_again() {
    let mut bench = Bench::connected(settings());
    bench.session.subscribe(channel("a"), from_now()).unwrap();
    let id = bench.sent()[0]["id"].clone();
    bench.refuse(&id, Code::NodeFull, Some("a"));
    assert!(matches!(&bench.told()[..], [SubscriptionEvent::Error(why)] if why.temporary()));
    assert!(bench.pass_to_deadline() >= Duration::from_millis(100));
    assert_eq!(bench.sent()[0]["subscribe"], json!([{"channel": "a"}]));
}

#[test]
fn a_subscription_that_the_server_ends_is_told_why() {
    let mut bench = Bench::following("news");
    bench.tell(json!({"unsubscribed": {
        "channel": "news", "code": 1202, "name": "subscribe_denied", "message": "x"
    }}));
    let outputs = bench.outputs();
    assert!(matches!(&outputs[..], [
        Output::Ended { last: SubscriptionEvent::Unsubscribed(why), .. }
    ] if why.code == 1202));
}

#[test]
fn what_the_server_begins_is_offered_only_to_who_wants_it() {
    for take_offered in [false, true] {
        let mut bench = Bench::connected(Settings { take_offered, ..settings() });
        bench.subscribed(&Value::Null, "inbox", 4, 4);
        bench.tell(publication("inbox", 5));
        let offered = bench.outputs().contains(&Output::Offered(channel("inbox")));
        assert_eq!(offered, take_offered);
        let channels = bench.come_back()["connect"]["subscribe"].clone();
        let expected = json!([{"channel": "inbox", "epoch": EPOCH, "offset": 5}]);
        assert_eq!(channels, if take_offered { expected } else { Value::Null });
    }
}

#[test]
fn a_command_refused_as_a_whole_counts_for_all_its_channels() {
    let mut bench = Bench::connected(settings());
    bench.session.subscribe(channel("a"), from_now()).unwrap();
    let id = bench.sent()[0]["id"].clone();
    bench.tell(json!({"id": id, "error": {
        "code": 1304, "name": "rate_limited", "message": "x", "hint": "", "temporary": true,
        "after": 350
    }}));
    assert!(matches!(&bench.told()[..], [SubscriptionEvent::Error(why)] if why.temporary()));
    assert_eq!(bench.pass_to_deadline(), Duration::from_millis(350));
    assert_eq!(bench.sent()[0]["subscribe"], json!([{"channel": "a"}]));
}

#[test]
fn an_older_subscription_that_the_server_kept_is_ended_first() {
    let mut bench = Bench::following("news");
    bench.session.unsubscribe(&channel("news"));
    let id = bench.sent()[0]["id"].clone();
    bench.refuse(&id, Code::RateLimited, None);
    bench.session.subscribe(channel("news"), from_now()).unwrap();
    let id = bench.sent()[0]["id"].clone();
    bench.refuse(&id, Code::AlreadySubscribed, Some("news"));
    assert_eq!(bench.told(), []);
    bench.pass_to_deadline();
    let sent = bench.sent();
    assert_eq!(sent[0]["unsubscribe"], json!(["news"]));
    assert_eq!(sent[1]["subscribe"], json!([{"channel": "news"}]));
}
