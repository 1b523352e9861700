//! Which texts are addresses of servers, and what becomes of them.

use super::Address;

#[test]
fn an_address_has_its_doors() {
    let address = Address::parse("https://example.org/live/").unwrap();
    assert_eq!(address.http("/v1/publish"), "https://example.org/live/v1/publish");
    assert_eq!(address.websocket("/v1/ws"), "wss://example.org/live/v1/ws");
    assert_eq!((address.host(), address.port()), ("example.org", 443));
}

#[test]
fn a_scheme_may_be_left_out() {
    let address = Address::parse("localhost:8000").unwrap();
    assert_eq!(address.http("/ready"), "http://localhost:8000/ready");
}

#[test]
fn brackets_belong_to_the_text_and_not_to_the_host() {
    let address = Address::parse("ws://[::1]:8000").unwrap();
    assert_eq!((address.host(), address.port()), ("::1", 8000));
    assert_eq!(address.http("/v1/send"), "http://[::1]:8000/v1/send");
}

#[test]
fn what_is_no_address_is_refused() {
    for text in [
        "",
        "ftp://example.org",
        "http://",
        "http://user:secret@example.org",
        "http://example.org/?a=b",
        "http://example.org/#a",
        "http://example.org:99999",
        "http://example.org:",
        "http://exa mple.org",
        "/v1/ws",
    ] {
        assert!(Address::parse(text).is_err(), "{text:?} was taken");
    }
}
