//! What the environment and the command line add to the file: paths and words.

use std::sync::Arc;

use super::error::{ConfigError, Fault, Source};
use super::given::{Given, Raw};
use super::tree::Entry;

/// What begins the name of every environment variable that is a key: `MARTLET_SERVER__LISTEN`
/// is `server.listen`. Names without `__` belong to the program itself (`MARTLET_CONFIG`).
const PREFIX: &str = "MARTLET_";

/// One key given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as the person wrote it, for messages: `--listen`.
    pub flag: String,
    /// The key's path: `server.listen`.
    pub path: String,
    /// The value.
    pub value: String,
}

/// Puts the environment's keys on top of `tree`.
pub fn environment(
    tree: &mut Given,
    variables: &[(String, String)],
    known: &[Entry],
) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let source = Source::Variable(name.as_str().into());
        if rest.contains("__") {
            let path = rest.to_lowercase().replace("__", ".");
            put(tree, &path, value, source, &mut errors);
        } else if let Some(meant) = half_underscored(rest, known) {
            let fault =
                Fault::new("this variable means nothing").hint(format!("did you mean {meant}?"));
            errors.push(ConfigError { source: Some(source), path: String::new(), fault });
        }
    }
    errors
}

/// Puts the command line's keys on top of `tree`; of the same key given twice the last counts.
pub fn flags(tree: &mut Given, flags: &[Flag]) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for flag in flags {
        let source = Source::Flag(flag.flag.as_str().into());
        put(tree, &flag.path, &flag.value, source, &mut errors);
    }
    errors
}

fn put(tree: &mut Given, path: &str, text: &str, source: Source, errors: &mut Vec<ConfigError>) {
    let done = word(text, &source).and_then(|given| {
        let keys: Vec<&str> = path.split('.').collect();
        tree.set(&keys, given)
    });
    if let Err(fault) = done {
        errors.push(ConfigError { source: Some(source), path: path.to_owned(), fault });
    }
}

/// A list or table is written as in TOML; everything else is taken as it stands (`[::1]:8000`
/// begins like a list, but does not end like one).
fn word(text: &str, source: &Source) -> Result<Given, Fault> {
    let text = text.trim();
    let list = text.starts_with('[') && text.ends_with(']');
    let table = text.starts_with('{') && text.ends_with('}');
    match list || table {
        true => super::file::parse_value(text, source),
        false => Ok(Given { raw: Raw::Word(text.to_owned()), source: source.clone() }),
    }
}

/// The variable that `rest` would be if its underscores were doubled in the right places.
fn half_underscored(rest: &str, known: &[Entry]) -> Option<Arc<str>> {
    let name = |entry: &Entry| entry.path.replace('.', "__").to_uppercase();
    let found = known.iter().filter(|entry| entry.is_key()).map(name);
    found
        .into_iter()
        .find(|name| name.replace("__", "_") == rest)
        .map(|name| format!("{PREFIX}{name}").into())
}
