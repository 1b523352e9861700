use super::*;

#[test]
fn addresses_are_plain_and_whole() {
    for (url, host) in [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("ws://[::1]:8000", "[::1]:8000"),
        ("localhost:9", "localhost:9"),
        ("http://example.test", "example.test:80"),
    ] {
        assert_eq!(plain_authority(url).unwrap(), host, "{url}");
    }
    for url in ["https://a", "wss://a:1", "http://", "http://a/b", "http://u:p@a:1", "http://a:1?x"]
    {
        assert!(plain_authority(url).is_err(), "{url}");
    }
}

#[test]
fn a_client_says_what_it_follows() {
    let door = Door {
        address: "127.0.0.1:1".parse().unwrap(),
        host: "h:1".into(),
        token: Some("t".into()),
        prefix: "p-".into(),
        key: None,
    };
    let connect: serde_json::Value = serde_json::from_slice(&door.connect(Some(7))).unwrap();
    assert_eq!(connect["connect"]["token"], "t");
    let channel = connect["connect"]["subscribe"][0]["channel"].as_str().unwrap();
    assert!(channel.starts_with("p-") && channel.ends_with("-000007"), "{channel}");
    let publisher: serde_json::Value = serde_json::from_slice(&door.connect(None)).unwrap();
    assert!(publisher["connect"].get("subscribe").is_none());
}
