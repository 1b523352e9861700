//! Tests of the words in which a wrong configuration is refused.

use super::{Config, errors, inputs, shown};

#[test]
fn unknown_keys_are_told_with_line_path_and_the_nearest_name() {
    let text = "[server]\nlisen = [\"127.0.0.1:1\"]\n\n[limit]\ntags = 1\n\n\
                [channels.namespace.room]\nhistory_size = 1\nsubcribe = \"anyone\"\nbanana = 1\n";
    assert_eq!(
        errors(text),
        "martlet.toml:2: server.lisen: there is no such key\n  hint: did you mean listen?\n\
         martlet.toml:4: limit: there is no such key\n  hint: did you mean limits?\n\
         martlet.toml:9: channels.namespace.room.subcribe: there is no such key\n  \
         hint: did you mean subscribe?\n\
         martlet.toml:10: channels.namespace.room.banana: there is no such key\n  \
         hint: the keys here are history_size, history_age, recovery, presence, join_leave, \
         presence_grace, subscribe, publish, history, see_presence, durability, lagging\n"
    );
}

#[test]
fn wrong_values_are_told_with_what_is_needed() {
    let text = "[heartbeat]\nping = 25\npong = \"ten\"\n[limits]\nframe_bytes = \"64KB!\"\n\
                tags = -1\nname_bytes = 1.5\nhistory_page = \"many\"\n\
                commands_burst = 99999999999\n[channels.default]\nsubscribe = \"anybody\"\n\
                recovery = \"yes\"\nhistory_age = 2026-01-01\n";
    assert_eq!(
        errors(text),
        "martlet.toml:2: heartbeat.ping: 25 has no unit\n  \
         hint: write \"25s\" for seconds, or \"25ms\" for milliseconds\n\
         martlet.toml:3: heartbeat.pong: \"ten\" is not a duration such as \"25s\", \"10m\" or \
         \"2h\"\n\
         martlet.toml:5: limits.frame_bytes: \"64KB!\" is not a size such as \"64KiB\" or \
         \"1MiB\", or a number of bytes\n\
         martlet.toml:6: limits.tags: -1 is less than 0\n\
         martlet.toml:7: limits.name_bytes: this needs a size such as \"64KiB\" or \"1MiB\", or a \
         number of bytes, not a number with a fraction\n\
         martlet.toml:8: limits.history_page: this needs a whole number, not a text\n\
         martlet.toml:9: limits.commands_burst: 99999999999 is more than 4294967295\n\
         martlet.toml:11: channels.default.subscribe: \"anybody\" is not \"anyone\", \"users\", \
         \"granted\" or \"backend\"\n\
         martlet.toml:12: channels.default.recovery: this needs true or false, not a text\n\
         martlet.toml:13: channels.default.history_age: this needs a duration such as \"25s\", \
         \"10m\" or \"2h\", not a date\n"
    );
}

#[test]
fn sections_and_lists_are_told_from_values() {
    let text = "server = 1\n[auth]\ntokens = \"x\"\n[channels]\nnamespace = []\ndefault = true\n";
    assert_eq!(
        errors(text),
        "martlet.toml:1: server: this is a table of keys, not a number\n\
         martlet.toml:3: auth.tokens: this is a list of tables, not a text\n\
         martlet.toml:5: channels.namespace: this is a table of names, not a list\n\
         martlet.toml:6: channels.default: this is a table of keys, not true or false\n"
    );
}

#[test]
fn addresses_are_helped_along() {
    let text = "[server]\nlisten = [\":8000\", \"localhost:8000\", \"nowhere\"]\n";
    let needed = "is not an address with a port, such as \"127.0.0.1:8000\" or \"[::]:8000\"";
    assert_eq!(
        errors(text),
        format!(
            "martlet.toml:2: server.listen: \":8000\" {needed}\n  hint: write \
             \"127.0.0.1:8000\" for this machine only, \"0.0.0.0:8000\" for everybody\n"
        )
    );
    let text = "[server]\nlisten = \"localhost:8000\"\n";
    assert_eq!(
        errors(text),
        format!(
            "martlet.toml:2: server.listen: \"localhost:8000\" {needed}\n  \
             hint: write \"127.0.0.1:8000\"\n"
        )
    );
}

#[test]
fn all_errors_of_grammar_are_told_at_once() {
    assert_eq!(
        errors("[server\nlisten = 1\n[limits]\ntags = \ntags = 1\n"),
        "martlet.toml:1: this is not TOML: unclosed table, expected `]`\n\
         martlet.toml:4: this is not TOML: string values must be quoted, expected literal string\n\
         martlet.toml:5: this is not TOML: duplicate key\n"
    );
}

#[test]
fn errors_of_the_environment_and_of_flags_name_them() {
    let inputs = inputs(
        &[
            ("MARTLET_LIMITS__TAGS", "many"),
            ("MARTLET_LIMIT__TAGS", "1"),
            ("MARTLET_SERVER_LISTEN", "127.0.0.1:1"),
            ("MARTLET_SERVER_PORT", "tcp://10.0.0.1:80"),
            ("MARTLET_CONFIG", "martlet.toml"),
        ],
        &[("log.formt", "json"), ("server.listen", "[oops]"), ("server", "1")],
    );
    assert_eq!(
        shown(Config::load(&inputs).err().unwrap()),
        "MARTLET_SERVER_LISTEN: this variable means nothing\n  \
         hint: did you mean MARTLET_SERVER__LISTEN?\n\
         --set: server.listen: this is not a TOML value: string values must be quoted, expected \
         literal string\n\
         MARTLET_LIMIT__TAGS: limit: there is no such key\n  hint: did you mean limits?\n\
         MARTLET_LIMITS__TAGS: limits.tags: \"many\" is not a whole number\n\
         --set: log.formt: there is no such key\n  hint: did you mean format?\n\
         --set: server: this is a table of keys, not a text\n"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let load = |path: &std::path::Path| {
        let mut inputs = inputs(&[], &[]);
        inputs.file = Some(path.to_owned());
        shown(Config::load(&inputs).err().unwrap())
    };
    let missing = load(&directory.path().join("none.toml"));
    assert!(missing.contains("none.toml: the file cannot be read: "), "{missing}");
    let binary = directory.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    assert!(load(&binary).contains("the file is not UTF-8 text"));
    let huge = directory.path().join("huge.toml");
    std::fs::write(&huge, vec![b'\n'; 1024 * 1024 + 1]).unwrap();
    assert!(load(&huge).contains("the file is larger than 1048576 bytes"));
}

#[test]
fn deep_and_strange_files_are_refused_without_harm() {
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(errors(&deep).contains("this is not TOML"));
    let nested = format!("{}x = 1", "a.".repeat(50));
    assert!(errors(&nested).contains("a: there is no such key"));
    assert!(errors("\"\" = 1\n").contains("there is no such key"));
}
