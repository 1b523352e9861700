//! Values as they were given, before anyone asked what they should be: one tree for the file,
//! the environment and the command line, in which the later replace the earlier.

use std::collections::BTreeMap;

use super::error::{Fault, Source};

/// The most elements that a list given key by key may have.
const LIST_MAX: usize = 1_000;

/// A value and where it was given.
#[derive(Clone)]
pub struct Given {
    /// The value.
    pub raw: Raw,
    /// Where it was given.
    pub source: Source,
}

/// What a value looked like.
#[derive(Clone)]
pub enum Raw {
    /// A text.
    Text(String),
    /// A word of the environment or the command line: the key decides what it is.
    Word(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// Something that no key takes: its kind, such as "a date".
    Foreign(&'static str),
    /// A list.
    List(Vec<Given>),
    /// A table.
    Table(BTreeMap<String, Given>),
}

impl Raw {
    /// What it is, for messages. The value itself is not shown: it may be a secret.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Word(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Foreign(kind) => kind,
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Given {
    /// An empty table.
    pub fn table(source: Source) -> Self {
        Self { raw: Raw::Table(BTreeMap::new()), source }
    }

    /// Puts `later` on top: tables are merged key by key, everything else is replaced.
    pub fn overlay(&mut self, later: Given) {
        match (&mut self.raw, later.raw) {
            (Raw::Table(mine), Raw::Table(theirs)) => {
                for (key, value) in theirs {
                    match mine.get_mut(&key) {
                        Some(old) => old.overlay(value),
                        None => drop(mine.insert(key, value)),
                    }
                }
            }
            (_, raw) => *self = Given { raw, source: later.source },
        }
    }

    /// Sets what is at `path`, making the tables and lists on the way to it.
    pub fn set(&mut self, path: &[&str], value: Given) -> Result<(), Fault> {
        let Some((key, rest)) = path.split_first() else {
            self.overlay(value);
            return Ok(());
        };
        let index: Option<usize> = key.parse().ok();
        if let (Raw::List(list), Some(index)) = (&mut self.raw, index) {
            return element(list, index, &value.source)?.set(rest, value);
        }
        if index.is_some() && self.empty() {
            self.raw = Raw::List(Vec::new());
            return self.set(path, value);
        }
        let Raw::Table(table) = &mut self.raw else {
            return Err(Fault::new(format!("{key} is inside of something that is not a table")));
        };
        let source = value.source.clone();
        let place = table.entry((*key).to_owned()).or_insert_with(|| Self::table(source));
        place.set(rest, value)
    }

    /// Where the value at `path` was given, or the nearest thing around it.
    pub fn source_of(&self, path: &str) -> &Source {
        let (key, rest) = path.split_once('.').unwrap_or((path, ""));
        let (name, index) = match key.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse().ok()),
            None => (key, None),
        };
        let found = match &self.raw {
            Raw::Table(table) => table.get(name),
            _ => None,
        };
        match (found, index) {
            (None, _) => &self.source,
            (Some(given), None) => given.source_of(rest),
            (Some(given), Some(index)) => given.source_of_element(index, rest),
        }
    }

    fn source_of_element(&self, index: usize, rest: &str) -> &Source {
        match &self.raw {
            Raw::List(list) if index < list.len() => list[index].source_of(rest),
            _ => &self.source,
        }
    }

    /// Whether the table has `key`.
    pub fn has(&self, key: &str) -> bool {
        matches!(&self.raw, Raw::Table(table) if table.contains_key(key))
    }

    fn empty(&self) -> bool {
        matches!(&self.raw, Raw::Table(table) if table.is_empty())
    }
}

/// The element at `index`, which is made if it is the next one.
fn element<'a>(
    list: &'a mut Vec<Given>,
    index: usize,
    source: &Source,
) -> Result<&'a mut Given, Fault> {
    if index > list.len() || index >= LIST_MAX {
        let fault = Fault::new(format!("there is no element {index}"));
        return Err(fault.hint(format!("the next one has the number {}", list.len())));
    }
    if index == list.len() {
        list.push(Given::table(source.clone()));
    }
    Ok(&mut list[index])
}
