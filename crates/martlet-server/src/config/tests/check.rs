//! Tests of what is checked of a configuration as a whole.

use std::path::Path;

use super::{Config, errors, parse, shown};
use crate::config::Tls;
use crate::keys::{ApiKeys, KeyHash, Scope};

#[test]
fn values_out_of_bounds_are_refused() {
    let text = "[server]\nlisten = []\nworkers = 9999\norigins = [\"*\", \"example.com\"]\n\
                [heartbeat]\nping = \"10ms\"\npong = \"2d\"\n[limits]\nframe_bytes = 10\n\
                history_page = 0\nconnect_timeout = \"0s\"\n\
                [channels.namespace.room]\nhistory_age = \"0s\"\njoin_leave = true\n";
    assert_eq!(
        errors(text),
        "martlet.toml:2: server.listen: there is no address to listen on\n\
         martlet.toml:3: server.workers: 9999 is not between 0 and 1024\n\
         martlet.toml:4: server.origins[1]: \"example.com\" is not an origin\n  \
         hint: write \"https://example.com\", with a port if needed and no path\n\
         martlet.toml:6: heartbeat.ping: 10ms is not between 1s and 24h\n\
         martlet.toml:7: heartbeat.pong: 48h is not between 1s and 24h\n\
         martlet.toml:8: limits.data_bytes: data comes inside a frame, so this is less than \
         limits.frame_bytes\n  hint: limits.frame_bytes is 10B\n\
         martlet.toml:9: limits.frame_bytes: 10B is not between 1KiB and 64MiB\n\
         martlet.toml:10: limits.history_page: 0 is not between 1 and 100000\n\
         martlet.toml:11: limits.connect_timeout: 0s is not between 1s and 24h\n\
         martlet.toml:13: channels.namespace.room.history_age: 0s is not between 1s and 87600h\n\
         martlet.toml:14: channels.namespace.room.join_leave: joins and leaves are only known \
         with presence\n  hint: add presence = true\n"
    );
}

#[test]
fn names_of_namespaces_are_those_that_a_channel_can_have() {
    for name in ["a b", "a:b", "\\u0007", ""] {
        let said = errors(&format!("[channels.namespace.\"{name}\"]\n"));
        assert!(said.contains("a namespace's name has"), "{said}");
    }
    assert!(parse("[channels.namespace.\"chat/eu\"]\n").check().is_ok());
}

#[test]
fn certificates_come_as_a_pair_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["cert.pem", "key.pem"] {
        std::fs::write(directory.path().join(name), "").unwrap();
    }
    let check = |tls: &str| {
        let path = directory.path().join("martlet.toml");
        let config = Config::parse(&format!("[server.tls]\n{tls}"), &path);
        config.and_then(|config| config.check()).map(|settings| settings.tls)
    };
    let files = check("certificate = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    let certificate = directory.path().join("cert.pem");
    let key = directory.path().join("key.pem");
    assert_eq!(files, Some(Tls::Files { certificate, key }));
    assert_eq!(check("development = true\n").unwrap(), Some(Tls::Development));
    assert_eq!(check("").unwrap(), None);
    let half = shown(check("certificate = \"cert.pem\"\n").unwrap_err());
    assert!(half.contains("certificate and key go together; key is missing"), "{half}");
    let both = check("certificate = \"cert.pem\"\nkey = \"key.pem\"\ndevelopment = true\n");
    assert!(shown(both.unwrap_err()).contains("exclude each other"));
    let missing = shown(check("certificate = \"none.pem\"\nkey = \"key.pem\"\n").unwrap_err());
    assert!(missing.contains("none.pem cannot be read"), "{missing}");
}

#[test]
fn api_keys_need_a_name_a_hash_and_a_scope() {
    let hash = KeyHash::of("mk_example");
    let text = format!(
        "[[api.keys]]\nname = \"backend\"\nsha256 = \"{hash}\"\nscopes = [\"publish\", \"read\"]\n"
    );
    let ApiKeys::Keys(keys) = parse(&text).check().unwrap().keys else { panic!("keys are needed") };
    assert_eq!(keys[0].scopes, [Scope::Publish, Scope::Read]);
    assert_eq!(keys[0].hash, hash);
    assert_eq!(
        errors("[[api.keys]]\n"),
        "martlet.toml:1: api.keys[0]: the key has no name\n  hint: add name = \"…\"\n\
         martlet.toml:1: api.keys[0]: the key is good for nothing\n  \
         hint: add scopes = [\"publish\"], or \"read\", \"sessions\", \"all\"\n\
         martlet.toml:1: api.keys[0]: the key has no sha256\n  \
         hint: make a key and its hash with martlet token key\n"
    );
    let twice = errors(&format!("{text}{text}"));
    assert_eq!(twice, "martlet.toml:6: api.keys[1].name: there is another key named \"backend\"\n");
    let plain =
        errors("[[api.keys]]\nname = \"a\"\nscopes = [\"all\"]\nsha256 = \"mk_my-own-key\"\n");
    assert!(plain.contains("this is not a SHA-256"), "{plain}");
    assert!(!plain.contains("my-own-key"), "{plain}");
}

#[test]
fn secrets_are_long_and_given_once() {
    let short = errors("[[auth.tokens]]\nsecret = \"swordfish\"\n");
    assert_eq!(
        short,
        "martlet.toml:2: auth.tokens[0].secret: the secret has 9 bytes; it needs at least 32\n  \
         hint: make one with: martlet token secret\n"
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("secret"), format!("{}\n", "s".repeat(32))).unwrap();
    let path = directory.path().join("martlet.toml");
    let check = |text: &str| Config::parse(text, &path).unwrap().check();
    let settings = check("[grant]\nsecret_file = \"secret\"\n").unwrap();
    assert_eq!(settings.grant_secret.unwrap().0, "s".repeat(32));
    let both = check("[grant]\nsecret = \"x\"\nsecret_file = \"secret\"\n").unwrap_err();
    assert!(shown(both).contains("give secret or secret_file, not both"));
    let none = check("[[auth.tokens]]\nsecret_file = \"none\"\n").unwrap_err();
    assert!(shown(none).contains("none: the file cannot be read"));
}

#[test]
fn a_source_of_keys_names_one_key() {
    let said = errors("[[auth.tokens]]\nissuer = \"me\"\n");
    assert!(said.contains("auth.tokens[0]: there is no key: give secret, "), "{said}");
    let said = errors("[[auth.tokens]]\nsecret = \"x\"\njwks_url = \"https://example.com\"\n");
    assert!(said.contains("auth.tokens[0]: there are several keys"), "{said}");
}

#[test]
fn public_keys_are_read_and_agree_with_the_algorithm() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let table =
        |pem: &str, rest: &str| format!("[[auth.tokens]]\npublic_key = '''{pem}'''\n{rest}");
    assert!(parse(&table(&key.public_key_pem(), "algorithm = \"EdDSA\"\n")).check().is_ok());
    let other = errors(&table(&key.public_key_pem(), "algorithm = \"RS256\"\n"));
    assert!(other.contains("this key is for EdDSA, not for RS256"), "{other}");
    let private = errors(&table(&key.serialize_pem(), ""));
    assert!(private.contains("this is a private key"), "{private}");
    let garbage = errors(&table("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ""));
    assert!(garbage.contains("this is not a public key in PEM"), "{garbage}");
    let confused =
        format!("[[auth.tokens]]\nsecret = \"{}\"\nalgorithm = \"ES256\"\n", "s".repeat(32));
    assert!(errors(&confused).contains("this key is for HS256, not for ES256"));
}

#[test]
fn key_sets_are_fetched_from_safe_addresses_only() {
    for good in [
        "https://example.com/jwks.json",
        "http://127.0.0.1:9000/k",
        "http://localhost/k",
        "http://[::1]:1/",
    ] {
        let text = format!("[[auth.tokens]]\njwks_url = \"{good}\"\n");
        assert!(parse(&text).check().is_ok(), "{good}");
    }
    for bad in [
        "http://example.com/jwks.json",
        "http://169.254.169.254/latest",
        "ftp://example.com/",
        "file:///etc/passwd",
        "/etc/passwd",
        "example.com",
        "https://name:password@example.com/",
        "http://localhost.evil.net/",
        "https://example.com:99999/",
        "",
    ] {
        let said = errors(&format!("[[auth.tokens]]\njwks_url = \"{bad}\"\n"));
        assert!(said.contains("auth.tokens[0].jwks_url: "), "{bad}: {said}");
    }
}

#[test]
fn a_file_of_keys_is_read_when_checked() {
    let directory = tempfile::tempdir().unwrap();
    let check = |content: &str| {
        std::fs::write(directory.path().join("keys.json"), content).unwrap();
        let path: &Path = &directory.path().join("martlet.toml");
        let text = "[[auth.tokens]]\njwks_file = \"keys.json\"\n";
        shown(Config::parse(text, path).unwrap().check().unwrap_err())
    };
    assert!(check("garbage").contains("it is not a JSON Web Key Set"));
    assert!(check("{\"keys\":[]}").contains("it has no key for signatures"));
}

#[test]
fn origins_are_whole_and_exact() {
    let good = ["*", "https://example.com", "http://localhost:5173", "https://[::1]:1"];
    let settings = parse(&format!("[server]\norigins = {good:?}\n")).check().unwrap();
    let expected = martlet_transport::cors::Origins::new(good).and_same_host();
    assert_eq!(settings.origins, expected);
    for bad in [
        "example.com",
        "https://",
        "https://example.com/",
        "https://example.com/path",
        "https://example.com?a",
        "https://example.com#a",
        "https://user@example.com",
        "https://*.example.com",
        "https://example.com:port",
        "ftp://example.com",
        "null",
        "",
    ] {
        let said = errors(&format!("[server]\norigins = [\"*\", {bad:?}]\n"));
        assert!(said.starts_with("martlet.toml:2: server.origins[1]: "), "{bad}: {said}");
    }
}
