//! What a person reads about the configuration: the file with every default, and the page of
//! the documentation. Both are made from the sections.

use super::sections::Options;
use super::tree::{Entry, Section, Sort};

/// Every key and section there is, in the order of the reference.
pub fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    Options::default().describe("", &mut entries);
    entries
}

/// A configuration file with every key, its explanation and its default. It means the same as
/// an empty one.
pub fn default_file() -> String {
    let mut text = String::from(
        "# The configuration of martlet: every key, with its default. Delete what you do not \
         change.\n# Check it with: martlet config check martlet.toml\n",
    );
    let mut commented = false;
    for entry in entries() {
        match &entry.sort {
            Sort::Table if depth(&entry) == 1 || has_keys(&entry.path) => {
                // A table inside an example is an example too.
                commented = false;
                text.push_str(&format!("\n{}[{}]\n", comment(&entry.doc), entry.path));
            }
            Sort::Table => {}
            Sort::Given { header } => {
                commented = true;
                text.push_str(&format!("\n{}# {header}\n", comment(&entry.doc)));
            }
            Sort::Key { form, default } => {
                text.push_str(&key_lines(&entry, form, default, commented))
            }
        }
    }
    text
}

fn depth(entry: &Entry) -> usize {
    entry.path.split('.').count()
}

/// Whether some key is directly in the section at `path`.
fn has_keys(path: &str) -> bool {
    let inside = |entry: &Entry| entry.is_key() && parent(&entry.path) == path;
    entries().iter().any(inside)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn name(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

fn key_lines(entry: &Entry, form: &str, default: &Option<String>, commented: bool) -> String {
    let mark = if commented || default.is_none() { "# " } else { "" };
    let value = match default {
        Some(default) => default.clone(),
        None => format!("…  ({form})"),
    };
    format!("{}{mark}{} = {value}\n", comment(&entry.doc), name(&entry.path))
}

/// `doc` as comment lines of at most 100 columns.
fn comment(doc: &str) -> String {
    let mut text = String::new();
    for paragraph in doc.lines() {
        let mut line = String::from("#");
        for word in paragraph.split(' ') {
            if line.len() + 1 + word.len() > 98 {
                text.push_str(&format!("{line}\n"));
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// What stands above the keys on the page.
const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the program by `martlet config reference`; change the explanations there. -->

Without any configuration, `martlet serve` runs in development mode: open to everybody, on this
machine only. With a file, `martlet serve --config martlet.toml` does what the file says.

A key comes from the file, from the environment, or from the command line; the later wins.

| | `limits.frame_bytes` | a list |
| --- | --- | --- |
| file | `frame_bytes = \"128KiB\"` under `[limits]` | `listen = [\"127.0.0.1:8000\", \"[::1]:8000\"]` |
| environment | `MARTLET_LIMITS__FRAME_BYTES=128KiB` | `MARTLET_SERVER__LISTEN=127.0.0.1:8000,[::1]:8000` |
| command line | `--set limits.frame_bytes=128KiB` | `--listen 127.0.0.1:8000 --listen [::1]:8000` |

In the environment, a table of a list has its number, from 0: `MARTLET_AUTH__TOKENS__0__SECRET`. Names of namespaces are written there in lower case.
Durations are written with units (`\"25s\"`, `\"1h30m\"`, `\"500ms\"`), sizes too (`\"64KiB\"`, `\"1MB\"`). Paths of files are relative to the
configuration file. A key that does not exist, or has a wrong value, is an error.

* `martlet config check martlet.toml` tells everything that is wrong with a file.
* `martlet config default` prints a file with every key.
* `martlet config reference` prints this page.
";

/// The page of the documentation.
pub fn page() -> String {
    let mut text = String::from(INTRODUCTION);
    for entry in entries() {
        match &entry.sort {
            Sort::Table => text.push_str(&heading(&entry, &format!("[{}]", entry.path))),
            Sort::Given { header } => text.push_str(&heading(&entry, header)),
            Sort::Key { form, default } => {
                let default = default.as_ref().map_or("none".into(), |text| format!("`{text}`"));
                let (name, doc) = (name(&entry.path), entry.doc.replace('\n', " "));
                text.push_str(&format!("| `{name}` | {form} | {default} | {doc} |\n"));
            }
        }
    }
    text
}

fn heading(entry: &Entry, header: &str) -> String {
    let marks = "#".repeat(depth(entry).min(2) + 1);
    let table = match has_keys(&entry.path) {
        true => "\n| key | value | default | |\n| --- | --- | --- | --- |\n",
        false => "",
    };
    format!("\n{marks} `{header}`\n\n{}\n{table}", entry.doc.replace('\n', "\n\n"))
}
