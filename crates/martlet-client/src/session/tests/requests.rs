//! Publishing and asking, with and without a connection.

use super::*;

fn message(text: &str) -> Message {
    Message::json(text).unwrap()
}

fn receipt(id: &Value, offset: u64) -> Value {
    json!({ "id": id, "published": {
        "channel": "a", "id": format!("{offset:026}"), "epoch": EPOCH, "offset": offset, "time": 1
    }})
}

#[test]
fn a_publication_is_answered_by_its_number() {
    let mut bench = Bench::connected(settings());
    let first = bench.session.publish(bench.now, channel("a"), message("1")).unwrap();
    let second = bench.session.publish(bench.now, channel("a"), message("2")).unwrap();
    let sent = bench.sent();
    bench.tell(receipt(&sent[1]["id"], 2));
    bench.refuse(&sent[0]["id"], Code::Internal, Some("a"));
    let replies = bench.replies();
    assert!(
        matches!(&replies[0], (t, Ok(Reply::Published(a))) if *t == second && a.position.offset == 2)
    );
    assert!(matches!(&replies[1], (t, Err(e)) if *t == first && e.temporary()));
    bench.tell(receipt(&sent[1]["id"], 2));
    assert_eq!(bench.replies(), [], "an answer counts once");
}

#[test]
fn what_was_not_answered_is_sent_again_in_order_under_the_same_keys() {
    let (mut bench, dialed) = Bench::begun(settings());
    for text in ["1", "2", "3"] {
        bench.session.publish(bench.now, channel("a"), message(text)).unwrap();
    }
    assert_eq!(bench.sent(), Vec::<Value>::new(), "nothing goes out before the server says yes");
    bench.let_in(&dialed);
    let sent = bench.sent();
    bench.tell(receipt(&sent[0]["id"], 1));
    let dialed = bench.come_back();
    bench.let_in(&dialed);
    let again = bench.sent();
    let bodies = |sent: &[Value]| sent.iter().map(|c| c["publish"].clone()).collect::<Vec<_>>();
    assert_eq!(bodies(&again), bodies(&sent[1..]));
    let key = |command: &Value| command["publish"]["key"].as_str().unwrap().to_owned();
    assert_ne!(key(&again[0]), key(&again[1]));
    assert!(again.iter().all(|command| sent.iter().all(|old| old["id"] != command["id"])));
}

#[test]
fn a_key_of_the_application_is_kept() {
    let mut bench = Bench::connected(settings());
    bench.session.publish(bench.now, channel("a"), message("1").key("mine")).unwrap();
    assert_eq!(bench.sent()[0]["publish"]["key"], "mine");
}

#[test]
fn what_waits_is_bounded_in_number_and_bytes() {
    let (mut bench, dialed) = Bench::begun(settings());
    for _ in 0..8 {
        bench.session.publish(bench.now, channel("a"), message("1")).unwrap();
    }
    let refused = bench.session.publish(bench.now, channel("a"), message("1"));
    assert_eq!(refused, Err(Error::Full));
    bench.let_in(&dialed);
    let id = bench.sent()[0]["id"].clone();
    bench.tell(receipt(&id, 1));
    assert!(bench.session.publish(bench.now, channel("a"), message("1")).is_ok());

    let mut bench = Bench::connected(settings());
    let large = Message::bytes(vec![0; 40_000]);
    bench.session.publish(bench.now, channel("a"), large.clone()).unwrap();
    assert_eq!(bench.session.publish(bench.now, channel("a"), large.clone()), Err(Error::Full));
    let id = bench.sent()[0]["id"].clone();
    bench.tell(receipt(&id, 1));
    assert!(bench.session.publish(bench.now, channel("a"), large).is_ok());
}

#[test]
fn nothing_waits_for_ever() {
    let (mut bench, dialed) = Bench::begun(settings());
    let ticket = bench.session.publish(bench.now, channel("a"), message("1")).unwrap();
    bench.let_in(&dialed);
    bench.outputs();
    bench.pass(Duration::from_secs(20));
    bench.session.handle_heard(bench.now);
    bench.pass(Duration::from_secs(10));
    assert!(matches!(&bench.replies()[..], [(t, Err(Error::Timeout(_)))] if *t == ticket));
    assert_eq!(bench.sent(), Vec::<Value>::new(), "what was given up is not sent any more");
}

#[test]
fn what_fits_into_no_frame_is_refused_before_it_costs_the_connection() {
    let (mut bench, dialed) = Bench::begun(settings());
    bench.let_in_with(&dialed, json!({"frame_bytes": 200}));
    bench.outputs();
    let ticket = bench.session.publish(bench.now, channel("a"), message(&"x".repeat(300))).unwrap();
    bench.session.presence(bench.now, channel("a")).unwrap();
    assert_eq!(bench.sent()[0]["presence"], json!({"channel": "a"}));
    let replies = bench.replies();
    let [(refused, Err(why))] = &replies[..] else { panic!("{replies:?}") };
    assert_eq!((*refused, why.code()), (ticket, Some(Code::FrameTooLarge)));
}

#[test]
fn history_presence_and_ping_are_answered() {
    let mut bench = Bench::connected(settings());
    let history = History { channel: channel("a"), start: None, limit: 2, reverse: true };
    bench.session.history(bench.now, history).unwrap();
    bench.session.presence(bench.now, channel("a")).unwrap();
    bench.session.ping(bench.now).unwrap();
    let sent = bench.sent();
    assert_eq!(sent[0]["history"], json!({"channel": "a", "limit": 2, "reverse": true}));
    bench.tell(json!({"id": sent[2]["id"], "pong": {"time": 1}}));
    bench.tell(json!({"id": sent[1]["id"], "presence": {
        "channel": "a", "members": [{"client": CLIENT, "user": "ann"}], "count": 1
    }}));
    let page = json!({
        "channel": "a", "epoch": EPOCH, "offset": 9, "more": true,
        "publications": [{"id": format!("{:026}", 9), "epoch": EPOCH, "offset": 9, "time": 1, "data": 1}]
    });
    bench.tell(json!({"id": sent[0]["id"], "history": page}));
    let replies: Vec<Reply> = bench.replies().into_iter().map(|(_, r)| r.unwrap()).collect();
    let [Reply::Pong, Reply::Presence(members, 1), Reply::History(page)] = &replies[..] else {
        panic!("{replies:?}");
    };
    assert_eq!(members[0].user.as_ref().unwrap().as_str(), "ann");
    assert_eq!((page.publications.len(), page.head.offset, page.more), (1, 9, true));
}

#[test]
fn after_a_long_absence_not_everything_is_sent_at_once() {
    let (mut bench, dialed) = Bench::begun(Settings { waiting: 1_000, ..settings() });
    for i in 0..300 {
        bench.session.publish(bench.now, channel("a"), message(&i.to_string())).unwrap();
    }
    bench.let_in(&dialed);
    let mut sent = Vec::new();
    for _ in 0..300 {
        let more = bench.sent();
        sent.extend(more);
        assert!(!bench.session.has_frame(), "a frame that cannot be sent is not announced");
        let Some(next) = sent.first().map(|command: &Value| command["id"].clone()) else { break };
        assert!(sent.len() <= 64, "{}", sent.len());
        sent.remove(0);
        bench.tell(receipt(&next, 1));
    }
    assert_eq!(bench.replies().len(), 300);
}

#[test]
fn what_comes_too_soon_is_sent_again_in_order_when_the_server_says() {
    let mut bench = Bench::connected(settings());
    for text in ["1", "2", "3"] {
        bench.session.publish(bench.now, channel("a"), message(text)).unwrap();
    }
    let sent = bench.sent();
    for command in &sent[1..] {
        bench.tell(json!({"id": command["id"], "error": {
            "code": 1304, "name": "rate_limited", "message": "x", "hint": "", "temporary": true,
            "after": 350
        }}));
    }
    bench.session.publish(bench.now, channel("a"), message("4")).unwrap();
    assert!(!bench.session.has_frame());
    assert_eq!(bench.replies(), []);
    assert_eq!(bench.pass_to_deadline(), Duration::from_millis(350));
    let again: Vec<Value> = bench.sent().iter().map(|c| c["publish"]["data"].clone()).collect();
    assert_eq!(again, ["2", "3", "4"]);
}
