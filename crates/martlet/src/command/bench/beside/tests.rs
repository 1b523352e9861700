use super::*;

#[test]
fn loops_and_servers_are_named() {
    assert_eq!(what("places"), Ok(What::Loop(Way::Places)));
    let peer = |text: &str| match what(text) {
        Ok(What::Peer(peer)) => peer,
        other => panic!("{text}: {other:?}"),
    };
    let plain = peer("nats=http://127.0.0.1:8001");
    assert_eq!((plain.kind, plain.label.as_str(), plain.pids.len()), (Kind::Nats, "nats", 0));
    let labelled = peer("broadcast:uWebSockets=http://127.0.0.1:9001,12+13");
    assert_eq!((labelled.kind, labelled.label.as_str()), (Kind::Broadcast, "uWebSockets"));
    assert_eq!((labelled.url.as_str(), labelled.pids), ("http://127.0.0.1:9001", vec![12, 13]));
}

#[test]
fn what_nobody_speaks_is_refused() {
    for text in ["loop", "kafka=http://a:1", "nats=http://a:1,x", "nats"] {
        assert!(what(text).is_err(), "{text}");
    }
}

#[test]
fn bare_is_the_first_and_comes_once() {
    let all = |beside: &[&str], bare| {
        let beside = beside.iter().map(|text| what(text).unwrap()).collect();
        Beside { beside, bare }.all()
    };
    let (bare, cork) = (What::Loop(Way::Bare), What::Loop(Way::Cork));
    assert_eq!(all(&["cork"], true), [bare.clone(), cork.clone()]);
    assert_eq!(all(&["cork", "bare"], true), [cork, bare]);
    assert!(all(&[], false).is_empty());
}
