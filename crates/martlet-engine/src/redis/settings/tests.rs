use super::*;

fn read(address: &str) -> Settings {
    Settings::parse(address).unwrap()
}

fn hosts(settings: &Settings) -> String {
    let hosts = settings.hosts.iter().map(|(host, port)| format!("{host} {port}"));
    hosts.collect::<Vec<_>>().join(", ")
}

#[test]
fn addresses_are_read_as_people_write_them() {
    let one = read("redis://localhost");
    assert_eq!((hosts(&one).as_str(), one.kind, one.tls), ("localhost 6379", Kind::Single, false));
    let one = read("rediss://ann:p%40ss@[::1]:7000/3?prefix=app-2");
    assert_eq!((hosts(&one).as_str(), one.database, one.tls), ("::1 7000", 3, true));
    assert_eq!((one.user.as_deref(), one.password.as_deref()), (Some("ann"), Some("p@ss")));
    assert_eq!(one.prefix, "app-2");
    let one = read("redis://:secret@h:1");
    assert_eq!((one.user, one.password.as_deref()), (None, Some("secret")));
    let known = read("redis-sentinel://a,b:7/mymaster");
    assert_eq!(hosts(&known), "a 26379, b 7");
    assert_eq!(known.kind, Kind::Sentinel { master: "mymaster".into() });
    let many = read("redis-cluster://a:1,b:2,c:3");
    assert_eq!((hosts(&many).as_str(), many.kind), ("a 1, b 2, c 3", Kind::Cluster));
}

#[test]
fn what_is_wrong_is_said() {
    for (address, says) in [
        ("localhost:6379", "there is no ://"),
        ("http://localhost", "no Redis address"),
        ("redis-ring://localhost", "no Redis address"),
        ("redis://", "a host or port"),
        ("redis://h:0", "a host or port"),
        ("redis://h:70000", "a host or port"),
        ("redis://a,b", "several hosts"),
        ("redis://h/one", "the database is no number"),
        ("redis-sentinel://a,b", "the master's name"),
        ("redis-cluster://a/1", "no databases"),
        ("redis://h?db=1", "is no option"),
        ("redis://h?prefix=a{b}", "a prefix has"),
    ] {
        let error = Settings::parse(address).unwrap_err().to_string();
        assert!(error.contains(says), "{address}: {error}");
    }
}

#[test]
fn the_password_is_shown_nowhere() {
    assert!(!format!("{:?}", read("redis://ann:secret@h")).contains("secret"));
}
