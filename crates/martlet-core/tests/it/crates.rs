//! Which crate may know which.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::sources::root;

/// Each crate, and those of the workspace that it may know. What tests use does not count.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("martlet-core", &[]),
    ("martlet-protocol", &["core"]),
    ("martlet-transport", &["core"]),
    ("martlet-engine", &["core"]),
    ("martlet-chat", &["core"]),
    ("martlet-push", &["core"]),
    ("martlet-client", &["core", "protocol"]),
    ("martlet-server", &["core", "protocol", "transport", "engine", "chat", "push"]),
    ("martlet-sim", &["core", "protocol", "engine"]),
    ("martlet", &["core", "protocol", "server", "client"]),
];

/// Crates of tests and tools, which may know every other and which no other may know.
const OUTSIDE: &[&str] = &["martlet-fuzz"];

/// Runs cargo, which ran this test, without network.
pub fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(arguments)
        .args(["--offline", "--locked"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Each crate of the workspace, and those of the workspace that it depends on.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let known = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let inside = all.filter(|dependency| dependency["path"].is_string());
        let real = inside.filter(|dependency| dependency["kind"] != "dev");
        real.map(|dependency| text(&dependency["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), known(package))).collect()
}

#[test]
fn no_crate_knows_more_than_it_may() {
    let table: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    for (name, known) in graph() {
        if OUTSIDE.contains(&name.as_str()) {
            continue;
        }
        let may = table.get(name.as_str());
        let may = may.unwrap_or_else(|| panic!("{name} is not in the table: say what it may know"));
        for other in known {
            let short = other.strip_prefix("martlet-").unwrap_or(&other);
            assert!(may.contains(&short), "{name} may not know {other}");
        }
    }
}

#[test]
fn the_table_has_no_circle() {
    let rank = |name: &str| MAY_KNOW.iter().position(|(crate_name, _)| *crate_name == name);
    for (name, may) in MAY_KNOW {
        for other in *may {
            let other = format!("martlet-{other}");
            assert!(rank(&other) < rank(name), "{name} comes after {other}");
        }
    }
}

#[test]
fn the_default_build_stays_small() {
    let tree = cargo(&["tree", "-p", "martlet", "-e", "normal,build", "--prefix", "none"]);
    let crates: BTreeSet<&str> =
        tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|l| !l.is_empty()).collect();
    assert!(crates.len() > 20, "the tree was read");
    assert!(crates.len() < 250, "{} crates", crates.len());
}
