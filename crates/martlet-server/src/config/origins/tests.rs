//! Tests of origins: what matches, what only looks as if it did, and what is no pattern.

use super::*;

fn origins(patterns: &[&str]) -> Origins {
    let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
    Origins::parse(&patterns).unwrap()
}

#[test]
fn patterns_match_whole_origins_only() {
    let cases = [
        ("https://example.com", "https://example.com", true),
        ("https://example.com", "HTTPS://Example.COM", true),
        ("https://example.com", "http://example.com", false),
        ("https://example.com", "https://example.com:8443", false),
        ("https://example.com", "https://example.com.evil.net", false),
        ("https://example.com", "https://evilexample.com", false),
        ("https://*.example.com", "https://app.example.com", true),
        ("https://*.example.com", "https://a.b.example.com", true),
        ("https://*.example.com", "https://example.com", false),
        ("https://*.example.com", "https://.example.com", false),
        ("https://*.example.com", "https://evilexample.com", false),
        ("http://localhost:*", "http://localhost:5173", true),
        ("http://localhost:*", "http://localhost", true),
        ("http://localhost:*", "http://localhost.evil.net:80", false),
        ("http://[::1]:3000", "http://[::1]:3000", true),
        ("*", "null", true),
        ("https://example.com", "null", false),
    ];
    for (pattern, origin, expected) in cases {
        assert_eq!(origins(&[pattern]).allow(origin, None), expected, "{pattern} and {origin}");
    }
}

#[test]
fn pages_of_the_server_itself_may_connect() {
    let none = Origins::default();
    assert!(none.allow("https://chat.example.com", Some("chat.example.com")));
    assert!(none.allow("http://127.0.0.1:8000", Some("127.0.0.1:8000")));
    assert!(!none.allow("http://127.0.0.1:8001", Some("127.0.0.1:8000")));
    assert!(!none.allow("https://example.com", None));
    assert!(!none.allow("null", Some("null")));
    assert!(!none.allow("", Some("")));
}

#[test]
fn in_development_pages_of_this_machine_may_connect() {
    let origins = Origins::this_machine();
    for good in
        ["http://localhost:5173", "https://localhost", "http://127.0.0.1:3000", "http://[::1]:1"]
    {
        assert!(origins.allow(good, None), "{good}");
    }
    for bad in ["http://localhost.evil.net", "http://127.0.0.2", "https://example.com"] {
        assert!(!origins.allow(bad, None), "{bad}");
    }
}

#[test]
fn what_is_no_origin_is_refused_with_its_place() {
    let wrong = [
        "example.com",
        "https://",
        "https://example.com/path",
        "https://example.com/",
        "https://user@example.com",
        "https://*example.com",
        "https://a.*.com",
        "https://*.",
        "https://example.com:port",
        "https://example.com:99999",
        "",
    ];
    for text in wrong {
        let patterns = ["*".to_owned(), text.to_owned()];
        assert_eq!(Origins::parse(&patterns), Err(1), "{text}");
    }
}
