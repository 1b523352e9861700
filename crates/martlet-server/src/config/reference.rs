//! What a person reads about the configuration: the file with every default, and the page of
//! the documentation. Both are made from the sections.

use super::sections::Options;
use super::tree::{Entry, Section, Sort};

/// The widest line of the default file, in columns.
const COLUMNS: usize = 98;

/// Every key and section there is, in the order of the reference.
pub fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    Options::default().describe("", &mut entries);
    entries
}

/// A section with its own keys, not those of sections inside it.
struct Part {
    entry: Entry,
    keys: Vec<Entry>,
    /// The path of an earlier section that has the same keys.
    like: Option<String>,
}

impl Part {
    fn header(&self) -> String {
        match &self.entry.sort {
            Sort::Given { header } => header.clone(),
            _ => format!("[{}]", self.entry.path),
        }
    }

    /// What the section is for, and where its keys are explained if not here.
    fn doc(&self) -> String {
        match &self.like {
            Some(path) => format!("{}\nThe keys are those of `[{path}]`.", self.entry.doc),
            None => self.entry.doc.clone(),
        }
    }

    /// What the keys are and mean, whatever their path.
    fn alike(&self, other: &Part) -> bool {
        let keys = |part: &Part| -> Vec<_> {
            let key = |key: &Entry| (name(&key.path).to_owned(), key.sort.clone(), key.doc.clone());
            part.keys.iter().map(key).collect()
        };
        !self.keys.is_empty() && keys(self) == keys(other)
    }
}

fn parts() -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for entry in entries() {
        match (entry.is_key(), parts.last_mut()) {
            (true, Some(part)) => part.keys.push(entry),
            _ => parts.push(Part { entry, keys: Vec::new(), like: None }),
        }
    }
    for index in 1..parts.len() {
        let first = parts[..index].iter().find(|earlier| earlier.alike(&parts[index]));
        parts[index].like = first.map(|part| part.entry.path.clone());
    }
    parts
}

/// A configuration file with every key, its explanation and its default. It means the same as
/// one with empty sections.
pub fn default_file() -> String {
    let mut text = String::from(
        "# The configuration of martlet: every key, with its default. Delete what you do not \
         change.\n# Check it with: martlet config check martlet.toml\n",
    );
    for part in parts() {
        let example = matches!(part.entry.sort, Sort::Given { .. });
        let mark = if example { "# " } else { "" };
        text.push_str(&format!("\n{}{mark}{}\n", comment(&part.doc()), part.header()));
        if part.like.is_none() {
            text.extend(part.keys.iter().map(|key| key_lines(key, example)));
        }
    }
    text
}

fn depth(path: &str) -> usize {
    path.split('.').count()
}

fn name(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

fn key_lines(key: &Entry, example: bool) -> String {
    let (mark, value) = match &key.sort {
        Sort::Key { default: Some(default), .. } => {
            (if example { "# " } else { "" }, default.clone())
        }
        Sort::Key { form, .. } => ("# ", format!("…  ({form})")),
        _ => return String::new(),
    };
    format!("{}{mark}{} = {value}\n", comment(&key.doc), name(&key.path))
}

/// `doc` as comment lines.
fn comment(doc: &str) -> String {
    let mut text = String::new();
    for paragraph in doc.lines() {
        let mut line = String::from("#");
        for word in paragraph.split(' ') {
            if line.len() + 1 + word.len() > COLUMNS {
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
    for part in parts() {
        let marks = "#".repeat(depth(&part.entry.path).min(2) + 1);
        let doc = part.doc().replace('\n', "\n\n");
        text.push_str(&format!("\n{marks} `{}`\n\n{doc}\n", part.header()));
        if part.like.is_none() && !part.keys.is_empty() {
            text.push_str("\n| key | value | default | |\n| --- | --- | --- | --- |\n");
            text.extend(part.keys.iter().map(row));
        }
    }
    text
}

fn row(key: &Entry) -> String {
    let Sort::Key { form, default } = &key.sort else { return String::new() };
    let default = default.as_ref().map_or("none".into(), |text| format!("`{text}`"));
    format!("| `{}` | {form} | {default} | {} |\n", name(&key.path), key.doc.replace('\n', " "))
}
