//! Tests of the configuration as a whole: what wins, what is refused and in which words, and
//! that the documentation says what is so.

use std::path::Path;
use std::time::Duration;

use martlet_core::model::{Access, ChannelName, Limits, Namespace};

use super::*;
use crate::keys::ApiKeys;

mod check;
mod messages;
mod quantities;

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("martlet.toml")).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// All that is wrong with `text`, by reading or by checking, as a person sees it.
fn errors(text: &str) -> String {
    let config = Config::parse(text, Path::new("martlet.toml"));
    shown(config.and_then(|config| config.check()).expect_err("this was to be refused"))
}

fn shown(errors: Vec<ConfigError>) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn inputs(variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Inputs {
    let text = |text: &&str| (*text).to_owned();
    Inputs {
        file: None,
        variables: variables.iter().map(|(name, value)| (text(name), text(value))).collect(),
        flags: flags
            .iter()
            .map(|(path, value)| Flag {
                flag: "--set".into(),
                path: text(path),
                value: text(value),
            })
            .collect(),
    }
}

#[test]
fn an_empty_file_is_closed_and_has_the_safe_limits() {
    let settings = parse("").check().unwrap();
    assert!(!settings.development);
    assert_eq!(settings.listen, ["127.0.0.1:8000".parse().unwrap()]);
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.namespaces.default, Some(Namespace::default()));
    assert_eq!(settings.namespaces.unnamed, None);
    assert_eq!(settings.keys, ApiKeys::Keys(Vec::new()));
    assert_eq!(settings.ping, Duration::from_secs(25));
    assert_eq!(settings.pong, Duration::from_secs(10));
    assert!(settings.workers >= 1);
}

#[test]
fn a_file_sets_what_it_names_and_nothing_else() {
    let config = parse(
        "[channels.namespace.room]\nhistory_size = 50\nsubscribe = \"users\"\n\
         [heartbeat]\nping = \"1m30s\"\n[limits]\nframe_bytes = \"1MiB\"\ndata_bytes = 500000\n",
    );
    let settings = config.check().unwrap();
    let room = settings.namespaces.of(&ChannelName::parse("room:1").unwrap()).unwrap();
    let expected = Namespace { history_size: 50, subscribe: Access::Users, ..Namespace::default() };
    assert_eq!(*room, expected);
    assert_eq!(settings.ping, Duration::from_secs(90));
    assert_eq!((settings.limits.frame_bytes, settings.limits.data_bytes), (1 << 20, 500_000));
    assert_eq!(settings.limits.tags, Limits::default().tags);
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("martlet.toml");
    std::fs::write(&path, "[limits]\ntags = 1\ncommands_burst = 1\nname_bytes = 1\n").unwrap();
    let mut inputs = inputs(
        &[("MARTLET_LIMITS__TAGS", "2"), ("MARTLET_LIMITS__COMMANDS_BURST", "2"), ("OTHER", "x")],
        &[("limits.tags", "3")],
    );
    inputs.file = Some(path);
    let limits = Config::load(&inputs).unwrap().check().unwrap().limits;
    assert_eq!((limits.tags, limits.commands_burst, limits.name_bytes), (3, 2, 1));
}

#[test]
fn lists_can_be_given_as_words_or_as_toml() {
    for value in ["127.0.0.1:1, [::1]:2", "[\"127.0.0.1:1\", \"[::1]:2\"]"] {
        let config = Config::load(&inputs(&[("MARTLET_SERVER__LISTEN", value)], &[])).unwrap();
        let expected = ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        assert_eq!(config.options.server.listen, expected, "{value}");
    }
    let one = Config::load(&inputs(&[], &[("server.listen", "[::1]:2")])).unwrap();
    assert_eq!(one.options.server.listen, ["[::1]:2".parse().unwrap()]);
}

#[test]
fn a_table_of_a_list_can_be_given_key_by_key() {
    let config = Config::load(&inputs(
        &[
            ("MARTLET_AUTH__TOKENS__0__SECRET", "0123456789abcdef0123456789abcdef"),
            ("MARTLET_AUTH__TOKENS__0__ISSUER", "me"),
            ("MARTLET_AUTH__TOKENS__1__SECRET", "fedcba9876543210fedcba9876543210"),
        ],
        &[],
    ));
    let settings = config.unwrap().check().unwrap();
    assert_eq!(settings.tokens.len(), 2);
    assert_eq!(settings.tokens[0].issuer.as_deref(), Some("me"));
    let gap = Config::load(&inputs(&[("MARTLET_AUTH__TOKENS__1__SECRET", "x")], &[]));
    assert_eq!(
        shown(gap.err().unwrap()),
        "MARTLET_AUTH__TOKENS__1__SECRET: auth.tokens.1.secret: there is no element 1\n  \
         hint: the next one has the number 0\n"
    );
}

#[test]
fn nothing_configured_is_development_mode() {
    let flags = inputs(&[("MARTLET_LOG__LEVEL", "debug")], &[("server.listen", "[::1]:9000")]);
    for config in [Config::development(), Config::load(&flags).unwrap()] {
        let settings = config.check().unwrap();
        assert!(settings.development);
        assert_eq!(settings.keys, ApiKeys::Open);
        assert_eq!(settings.namespaces.default, Some(Namespace::open()));
        assert_eq!(settings.namespaces.unnamed, Some(Namespace::open()));
        assert!(settings.anonymous);
        assert!(settings.listen.iter().all(|address| address.ip().is_loopback()));
    }
}

#[test]
fn saying_who_may_do_what_ends_development_mode() {
    for (path, value) in [
        ("auth.anonymous", "false"),
        ("api.keys", "[]"),
        ("channels.namespace.room.publish", "anyone"),
        ("grant.lifetime", "1h"),
    ] {
        let settings = Config::load(&inputs(&[], &[(path, value)])).unwrap().check().unwrap();
        assert!(!settings.development, "{path}");
        assert_eq!(settings.namespaces.unnamed, None, "{path}");
        assert_ne!(settings.keys, ApiKeys::Open, "{path}");
    }
}

#[test]
fn development_mode_is_never_open_to_the_network() {
    for address in ["0.0.0.0:8000", "[::]:8000", "192.0.2.1:80"] {
        let config = Config::load(&inputs(&[], &[("server.listen", address)])).unwrap();
        let said = shown(config.check().unwrap_err());
        assert!(said.contains(&format!("on this machine only, not on {address}")), "{said}");
        assert!(said.contains("hint: "), "{said}");
    }
}

#[test]
fn the_default_file_means_the_same_as_an_empty_one() {
    let text = reference::default_file();
    assert_eq!(parse(&text).options, parse("").options);
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn every_default_in_the_reference_is_read_back_as_itself() {
    let mut keys = 0;
    for entry in reference::entries() {
        let tree::Sort::Key { default: Some(default), .. } = &entry.sort else { continue };
        if entry.path.contains(".NAME")
            || ["api.keys", "auth.tokens"].iter().any(|list| entry.path.starts_with(list))
        {
            continue;
        }
        let text = format!("{} = {default}\n", entry.path);
        let mut options = parse(&text).options;
        options.channels.unnamed = None;
        assert_eq!(options, Options::default(), "{text}");
        keys += 1;
    }
    assert!(keys > 40, "only {keys} keys were looked at");
}

#[test]
fn the_default_file_and_the_page_have_every_key() {
    let (file, page) = (reference::default_file(), reference::page());
    for entry in reference::entries() {
        assert!(!entry.doc.is_empty(), "{} is not explained", entry.path);
        let name = entry.path.rsplit('.').next().unwrap();
        if entry.is_key() {
            assert!(file.contains(&format!("{name} = ")), "{name}");
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        } else {
            assert!(file.contains(&format!("{}]", entry.path)), "{}", entry.path);
            assert!(page.contains(&format!("{}]", entry.path)), "{}", entry.path);
        }
    }
}

/// The page in the documentation is written by this test when `UPDATE=1` is set.
#[test]
fn the_page_in_the_documentation_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, reference::page()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == reference::page(), "run: UPDATE=1 cargo test -p martlet-server fresh");
}

#[test]
fn secrets_are_never_shown() {
    let secret = "correct horse battery staple and more";
    let config =
        parse(&format!("[[auth.tokens]]\nsecret = \"{secret}\"\n[grant]\nsecret = \"{secret}\"\n"));
    let shown = format!("{:?} {:?}", config.options, config.check().unwrap());
    assert!(!shown.contains("horse"), "{shown}");
}
