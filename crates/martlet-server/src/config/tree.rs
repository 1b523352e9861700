//! The typed tree: sections made of keys. A section is declared once, by [`section!`], with the
//! words that explain it; reading, defaults, errors and the reference all come from there, so
//! that none can say what another does not know.

use super::error::{ConfigError, Fault};
use super::given::{Given, Raw};
use super::nearest::nearest;

pub mod kind;

/// One line of the reference: a key, or a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is: `limits.frame_bytes`, `channels.namespace.NAME`.
    pub path: String,
    /// What it is for; paragraphs are separated by line feeds.
    pub doc: String,
    /// What kind of thing it is.
    pub sort: Sort,
}

/// What an [`Entry`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    /// A key with a value.
    Key {
        /// What may be written: "a duration such as 25s".
        form: String,
        /// The value if nothing is given, as TOML; `None` for an optional key.
        default: Option<String>,
    },
    /// A table that is always there.
    Table,
    /// A table that means something only when it is given: optional, one of a list, or named.
    Given {
        /// Its header as written in TOML: `[[api.keys]]`.
        header: String,
    },
}

impl Entry {
    /// Whether it is a key, not a section.
    pub fn is_key(&self) -> bool {
        matches!(self.sort, Sort::Key { .. })
    }
}

/// A table whose keys are known: what [`section!`] makes.
pub trait Section: Default {
    /// Takes the keys of `given` over its own.
    fn read(&mut self, given: &Given, reader: &mut Reader);

    /// Adds its keys to the reference.
    fn describe(&self, path: &str, entries: &mut Vec<Entry>);
}

/// Where in the tree we read, and what was wrong so far.
#[derive(Default)]
pub struct Reader {
    path: String,
    /// What was wrong so far.
    pub errors: Vec<ConfigError>,
}

impl Reader {
    /// Reads something one step further down: `.key` or `[1]`.
    pub fn within(&mut self, step: &str, read: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        read(self);
        self.path.truncate(length);
    }

    /// Notes that what is here is wrong.
    pub fn wrong(&mut self, given: &Given, fault: Fault) {
        let source = Some(given.source.clone());
        self.errors.push(ConfigError { source, path: self.path.clone(), fault });
    }

    /// Reads each key of a table that is among `names`; refuses the others.
    pub fn keys(
        &mut self,
        given: &Given,
        names: &[&str],
        mut read: impl FnMut(&str, &Given, &mut Self),
    ) {
        let Raw::Table(table) = &given.raw else {
            let kind = given.raw.kind();
            return self.wrong(given, Fault::new(format!("this is a table of keys, not {kind}")));
        };
        for (key, value) in table {
            self.within(key, |reader| match names.contains(&key.as_str()) {
                true => read(key, value, reader),
                false => reader.wrong(value, unknown(key, names)),
            });
        }
    }
}

fn unknown(key: &str, names: &[&str]) -> Fault {
    let fault = Fault::new("there is no such key");
    match nearest(key, names.iter().copied()) {
        Some(name) => fault.hint(format!("did you mean {name}?")),
        None => fault.hint(format!("the keys here are {}", names.join(", "))),
    }
}

/// The path of `key` in the section at `path`.
pub fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

/// Doc comments as paragraphs: lines are joined, blank lines part them.
pub fn paragraphs(lines: &str) -> String {
    let joined: Vec<_> = lines.split('\n').map(str::trim).collect();
    let parts = joined.split(|line| line.is_empty()).map(|part| part.join(" "));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Declares a section: a struct, its defaults, how it is read and how it is explained.
///
/// Each key says how it is read, by the name of a module of [`kind`]: `value`, `table`,
/// `tables` (a list of sections), `named` (sections by name) or `optional` (a section that may
/// be absent).
macro_rules! section {
    ($(#[doc = $doc:literal])* $name:ident {
        $($(#[doc = $key_doc:literal])* $kind:ident $key:ident: $type:ty = $default:expr;)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $key_doc])* pub $key: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        impl $crate::config::tree::Section for $name {
            fn read(
                &mut self,
                given: &$crate::config::given::Given,
                reader: &mut $crate::config::tree::Reader,
            ) {
                reader.keys(given, &[$(stringify!($key),)*], |key, given, reader| {
                    $(if key == stringify!($key) {
                        $crate::config::tree::kind::$kind::read(&mut self.$key, given, reader);
                    })*
                });
            }

            fn describe(&self, path: &str, entries: &mut Vec<$crate::config::tree::Entry>) {
                $($crate::config::tree::kind::$kind::describe(
                    &self.$key,
                    &$crate::config::tree::join(path, stringify!($key)),
                    &$crate::config::tree::paragraphs(concat!($($key_doc, "\n",)*)),
                    entries,
                );)*
            }
        }
    };
}

pub(crate) use section;
