//! `martlet config`, and how `serve` refuses a wrong configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{martlet, martlet_with};

fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("martlet.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn a_right_file_is_summed_up() {
    let (_directory, path) = file("[server]\nworkers = 3\n[channels.namespace.room]\n");
    let run = martlet(&["config", "check", path.to_str().unwrap()]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(
        run.out,
        "The configuration is right.\n  plain HTTP on 127.0.0.1:8000, 3 workers\n  \
         no sources of keys for tokens, no keys for the backend API\n  1 namespace\n"
    );
}

#[test]
fn a_wrong_file_is_told_in_full() {
    let (_directory, path) = file("[server]\nlisen = 1\n\n[heartbeat]\nping = 25\n");
    let name = path.to_str().unwrap();
    let expected = format!(
        "martlet: there are 2 errors in the configuration\n\
         {name}:2: server.lisen: there is no such key\n  hint: did you mean listen?\n\
         {name}:5: heartbeat.ping: 25 has no unit\n  \
         hint: write \"25s\" for seconds, or \"25ms\" for milliseconds\n"
    );
    for arguments in [
        &["config", "check", name][..],
        &["config", "check", "--config", name],
        &["serve", "--config", name],
    ] {
        let run = martlet(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}");
        assert_eq!(run.err, expected, "{arguments:?}");
    }
    let run = martlet_with(&["config", "check"], &[("MARTLET_CONFIG", name)], "");
    assert_eq!((run.code, run.err), (2, expected));
}

#[test]
fn the_environment_and_flags_count() {
    let (_directory, path) = file("[server]\nworkers = 3\n");
    let run = martlet_with(
        &["config", "check", path.to_str().unwrap(), "--listen", "[::1]:1", "--listen", "[::1]:2"],
        &[("MARTLET_SERVER__WORKERS", "1")],
        "",
    );
    assert!(run.out.contains("on [::1]:1 and [::1]:2, 1 worker\n"), "{run:?}");
    let run = martlet(&["config", "check", "--set", "limits"]);
    assert_eq!(run.code, 2);
    assert_eq!(
        run.err,
        "martlet: --set needs a key and a value\n  hint: as in --set log.level=debug\n"
    );
}

#[test]
fn the_default_file_is_a_right_one() {
    let run = martlet(&["config", "default"]);
    assert_eq!(run.code, 0);
    let (_directory, path) = file(&run.out);
    let check = martlet(&["config", "check", path.to_str().unwrap()]);
    assert_eq!(check.code, 0, "{}", check.err);
    assert!(check.out.starts_with("The configuration is right.\n"), "{}", check.out);
}

#[test]
fn the_reference_is_the_page_of_the_documentation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    assert_eq!(martlet(&["config", "reference"]).out, std::fs::read_to_string(page).unwrap());
}

#[test]
fn an_open_server_is_not_started_for_the_network() {
    let run = martlet(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("listens on this machine only, not on 0.0.0.0:0"), "{}", run.err);
    assert!(run.err.contains("hint: say who may do what in a file"), "{}", run.err);
}

#[test]
fn a_wrong_level_of_logging_is_refused() {
    let run = martlet(&["serve", "--listen", "127.0.0.1:0", "--set", "log.level=a=b=c"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.starts_with("martlet: log.level: \"a=b=c\" is not a level"), "{}", run.err);
}

/// What kills a node before it is done drops its clients.
#[test]
fn a_pod_gets_longer_than_a_drain_takes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kubernetes.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let grace = text.split("terminationGracePeriodSeconds: ").nth(1);
    let grace = grace.and_then(|rest| rest.lines().next()?.parse().ok());
    let drain = martlet_server::config::Options::default().drain;
    let takes = drain.wait + drain.over + drain.force;
    assert!(grace.is_some_and(|grace| Duration::from_secs(grace) > takes), "{grace:?} {takes:?}");
}
