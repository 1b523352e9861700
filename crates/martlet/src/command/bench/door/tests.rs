use super::*;

#[test]
fn addresses_are_plain_and_whole() {
    for (url, host) in [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("ws://[::1]:8000", "[::1]:8000"),
        ("redis://localhost:6379", "localhost:6379"),
        ("localhost:9", "localhost:9"),
        ("http://example.test", "example.test:80"),
    ] {
        assert_eq!(plain_authority(url).unwrap(), (host.to_owned(), None), "{url}");
    }
    for url in ["https://a", "wss://a:1", "http://", "http://a/b", "http://a:1?x"] {
        assert!(plain_authority(url).is_err(), "{url}");
    }
}

#[test]
fn a_token_may_stand_before_the_host() {
    let (host, token) = plain_authority("http://ey.J.x@127.0.0.1:80").unwrap();
    assert_eq!((host.as_str(), token.as_deref()), ("127.0.0.1:80", Some("ey.J.x")));
}
