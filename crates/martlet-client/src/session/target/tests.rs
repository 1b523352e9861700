//! Which nodes are gone to, and for how long. The cases are those of `test/comeback.test.ts`.

use super::*;

fn target(home: &str) -> Target {
    Target::new(&Address::parse(home).unwrap())
}

fn at(target: &Target) -> Option<String> {
    target.node().map(|node| node.http(""))
}

#[test]
fn a_node_that_is_named_is_gone_to_for_as_long_as_it_does_its_part() {
    let mut target = target("https://a.example.com");
    let b = Some("https://b.example.com");
    target.handle_close(Code::Shutdown, None, true);
    assert_eq!(at(&target), None);
    target.handle_close(Code::Shutdown, Some("wss://b.example.com:8000/live/"), true);
    assert_eq!(at(&target).as_deref(), Some("https://b.example.com:8000/live"));
    target.handle_close(Code::Aged, None, true);
    assert_eq!(at(&target).as_deref(), Some("https://b.example.com:8000/live"));
    target.handle_close(Code::Shutdown, Some("https://c.example.com"), true);
    assert_eq!(at(&target).as_deref(), Some("https://c.example.com"));
    target.handle_lost();
    assert_eq!(at(&target), None, "a try that failed, or a connection that broke off");
    target.handle_close(Code::Aged, b, true);
    target.handle_close(Code::Shutdown, None, true);
    assert_eq!(at(&target), None, "it stops, and names nobody");
    target.handle_close(Code::Reconnect, b, false);
    assert_eq!(at(&target).as_deref(), b, "sent on before it was let in");
    target.handle_close(Code::Reconnect, None, false);
    assert_eq!(at(&target), None, "a try that failed");
}

#[test]
fn what_is_no_address_of_a_node_is_not_gone_to_and_nobody_is_sent_out_of_tls() {
    let bad = ["", "b", "//b", "/b", "b:8000", "ftp://b", "https://u:p@b", "https://b/?a"];
    for node in bad.into_iter().chain(["https://b/#a", "https://", "http://b", "ws://b"]) {
        let mut target = target("https://a");
        target.handle_close(Code::Shutdown, Some(node), true);
        assert_eq!(at(&target), None, "{node:?} was taken");
    }
    let mut target = target("http://a");
    target.handle_close(Code::Shutdown, Some("https://b"), true);
    assert_eq!(at(&target).as_deref(), Some("https://b"), "into TLS is no harm");
}
