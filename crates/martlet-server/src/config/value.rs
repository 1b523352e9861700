//! The types that a key can have: how each is read, what it looks like, and how its default is
//! written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Fault, Source};
use super::given::{Given, Raw};
use super::quantity::{parse_duration, parse_size, write_duration, write_size};

/// The longest text shown in a message.
const SHOWN_MAX: usize = 60;

/// A type that a key can have.
pub trait Value: Sized {
    /// What may be written, as the end of the sentence "this needs …".
    fn form() -> String;

    /// Reads what was given.
    fn read(given: &Given) -> Result<Self, Fault>;

    /// The value as TOML; `None` when there is none.
    fn write(&self) -> Option<String>;
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The fault of a thing that is of another kind than the key needs.
pub fn needs<V: Value>(given: &Given) -> Fault {
    Fault::new(format!("this needs {}, not {}", V::form(), given.raw.kind()))
}

/// The fault of a text that the key cannot read.
pub fn unreadable<V: Value>(text: &str) -> Fault {
    Fault::new(format!("{} is not {}", shown(text), V::form()))
}

/// A text in quotation marks, shortened.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A text as TOML.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Value for bool {
    fn form() -> String {
        "true or false".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Word(word) => word.parse().map_err(|_| unreadable::<Self>(word)),
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for usize {
    fn form() -> String {
        "a whole number".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Integer(number) => {
                usize::try_from(*number).map_err(|_| Fault::new(format!("{number} is less than 0")))
            }
            Raw::Word(word) => word.parse().map_err(|_| unreadable::<Self>(word)),
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for u32 {
    fn form() -> String {
        usize::form()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        let number = usize::read(given)?;
        Self::try_from(number)
            .map_err(|_| Fault::new(format!("{number} is more than {}", Self::MAX)))
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for Duration {
    fn form() -> String {
        "a duration such as \"25s\", \"10m\" or \"2h\"".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Text(text) | Raw::Word(text) => {
                parse_duration(text).ok_or_else(|| match text.parse::<u64>() {
                    Ok(_) => unitless(text),
                    Err(_) => unreadable::<Self>(text),
                })
            }
            Raw::Integer(number) => Err(unitless(&number.to_string())),
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(format!("\"{}\"", write_duration(*self)))
    }
}

fn unitless(number: &str) -> Fault {
    Fault::new(format!("{number} has no unit"))
        .hint(format!("write \"{number}s\" for seconds, or \"{number}ms\" for milliseconds"))
}

impl Value for Size {
    fn form() -> String {
        "a size such as \"64KiB\" or \"1MiB\", or a number of bytes".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Integer(_) => usize::read(given).map(Size),
            Raw::Text(text) | Raw::Word(text) => {
                parse_size(text).map(Size).ok_or_else(|| unreadable::<Self>(text))
            }
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(format!("\"{}\"", write_size(self.0)))
    }
}

impl Value for String {
    fn form() -> String {
        "a text".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Text(text) | Raw::Word(text) => Ok(text.clone()),
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for Secret {
    fn form() -> String {
        "a secret text".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Text(text) | Raw::Word(text) => Ok(Self(text.clone())),
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        None
    }
}

/// A path in a file is relative to that file; elsewhere to the working directory.
impl Value for PathBuf {
    fn form() -> String {
        "the path of a file".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        let text = String::read(given).map_err(|_| needs::<Self>(given))?;
        let base = match &given.source {
            Source::File { path, .. } => path.parent().unwrap_or(Path::new("")),
            _ => Path::new(""),
        };
        Ok(base.join(text))
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

impl Value for SocketAddr {
    fn form() -> String {
        "an address with a port, such as \"127.0.0.1:8000\" or \"[::]:8000\"".into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Text(text) | Raw::Word(text) => text.parse().map_err(|_| without_host(text)),
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

fn without_host(text: &str) -> Fault {
    let fault = unreadable::<SocketAddr>(text);
    let port = text.trim_start_matches("localhost").trim_start_matches(':');
    match port.parse::<u16>() {
        Ok(port) if text.starts_with("localhost") => {
            fault.hint(format!("write \"127.0.0.1:{port}\""))
        }
        Ok(port) => fault.hint(format!(
            "write \"127.0.0.1:{port}\" for this machine only, \"0.0.0.0:{port}\" for everybody"
        )),
        Err(_) => fault,
    }
}

impl<V: Value> Value for Option<V> {
    fn form() -> String {
        V::form()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        V::read(given).map(Some)
    }

    fn write(&self) -> Option<String> {
        self.as_ref().and_then(V::write)
    }
}

/// A list; one value alone is a list of one, and a word's parts are separated by commas.
impl<V: Value> Value for Vec<V> {
    fn form() -> String {
        format!("a list, each {}", V::form())
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::List(list) => list.iter().map(V::read).collect(),
            Raw::Word(word) if word.is_empty() => Ok(Vec::new()),
            Raw::Word(word) => word
                .split(',')
                .map(|part| Raw::Word(part.trim().to_owned()))
                .map(|raw| V::read(&Given { raw, source: given.source.clone() }))
                .collect(),
            _ => V::read(given).map(|value| vec![value]),
        }
    }

    fn write(&self) -> Option<String> {
        let parts: Vec<_> = self.iter().filter_map(V::write).collect();
        Some(format!("[{}]", parts.join(", ")))
    }
}

/// Makes an enum a [`Value`] that is written as one of some words.
macro_rules! words {
    ($type:ty { $($word:literal => $variant:pat, $value:expr;)* }) => {
        impl $crate::config::value::Value for $type {
            fn form() -> String {
                let words = [$(concat!("\"", $word, "\"")),*];
                match words.len() {
                    1 => words[0].into(),
                    n => format!("{} or {}", words[..n - 1].join(", "), words[n - 1]),
                }
            }

            fn read(given: &$crate::config::given::Given) -> Result<Self, $crate::config::error::Fault> {
                use $crate::config::{given::Raw, nearest::nearest, value};
                let (Raw::Text(text) | Raw::Word(text)) = &given.raw else {
                    return Err(value::needs::<Self>(given));
                };
                $(if text == $word {
                    return Ok($value);
                })*
                let fault = value::unreadable::<Self>(text);
                Err(match nearest(text, [$($word),*]) {
                    Some(word) => fault.hint(format!("did you mean \"{word}\"?")),
                    None => fault,
                })
            }

            fn write(&self) -> Option<String> {
                Some(match self { $($variant => concat!("\"", $word, "\"").into(),)* })
            }
        }
    };
}

pub(crate) use words;

impl Value for crate::keys::KeyHash {
    fn form() -> String {
        "a SHA-256 in 64 hexadecimal digits".into()
    }

    /// The text is not shown when it is wrong: somebody may have written the key itself.
    fn read(given: &Given) -> Result<Self, Fault> {
        let text = String::read(given).map_err(|_| needs::<Self>(given))?;
        Self::parse(&text).ok_or_else(|| {
            Fault::new(format!("this is not {}", Self::form()))
                .hint("write the hash that martlet token key prints, not the key")
        })
    }

    fn write(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}
