use super::*;

#[test]
fn several_servers_are_read() {
    let settings = Settings::parse("nats://eva:secret@a:1234, tls://b,c:5").unwrap();
    let told: Vec<_> = settings
        .servers
        .iter()
        .map(|s| (s.host().to_owned(), s.port(), s.tls_required()))
        .collect();
    let expected = [("a".into(), 1234, false), ("b".into(), 4222, true), ("c".into(), 5, false)];
    assert_eq!(told, expected);
    assert_eq!(settings.servers[0].username(), Some("eva"));
    assert_eq!(settings.check(), Ok(()));
}

#[test]
fn what_is_wrong_is_said_without_the_password() {
    assert_eq!(Settings::parse(" ,"), Err(SettingsError::Empty));
    let told = Settings::parse("redis://eva:secret@a").unwrap_err().to_string();
    assert!(told.contains("redis://") && told.contains("nats://"), "{told}");
    let told = Settings::parse("nats://eva:secret@a:port").unwrap_err().to_string();
    assert!(!told.contains("secret"), "{told}");
    let settings = Settings::parse("nats://a").unwrap();
    assert!(Settings { prefix: "a.b".into(), ..settings.clone() }.check().is_err());
    assert!(Settings { replicas: 0, ..settings }.check().is_err());
}

#[test]
fn options_come_after_the_addresses() {
    let settings = Settings::parse("nats://a,b?prefix=app&replicas=3&storage=memory").unwrap();
    assert_eq!((settings.prefix.as_str(), settings.replicas), ("app", 3));
    assert_eq!((settings.storage, settings.servers.len()), (Storage::Memory, 2));
    for wrong in ["replicas=9", "replicas=x", "storage=tape", "prefix=a.b", "prefix", "size=1"] {
        assert!(Settings::parse(&format!("nats://a?{wrong}")).is_err(), "{wrong}");
    }
}
