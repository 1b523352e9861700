//! The configuration: a TOML file, environment variables and flags over one typed tree, of
//! which the later wins.
//!
//! Values are first gathered as they were given ([`given`]), then read into typed sections
//! ([`sections`]), and at last checked as a whole, which gives the [`Settings`] that the server
//! uses. Each step tells everything that is wrong at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_core::model::Namespace;

mod check;
mod engine;
mod error;
mod file;
mod given;
mod nearest;
mod overlay;
mod quantity;
pub mod reference;
pub mod sections;
mod settings;
mod tree;
mod value;

#[cfg(test)]
mod tests;

pub use engine::EngineAddress;
pub use error::{ConfigError, Fault, Source};
pub use nearest::nearest;
pub use overlay::Flag;
pub use quantity::{parse_duration, write_duration};
pub use sections::{Elsewhere, LogFormat, Options};
pub use settings::{Settings, Tls};
pub use value::{Secret, Size};

use given::Given;
use tree::{Reader, Section};

/// Sections that say who may do what. Where none of them is given, nothing is configured, and
/// the server runs in development mode.
const CLOSING_SECTIONS: [&str; 4] = ["auth", "api", "channels", "grant"];

/// What a configuration is read from.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The file.
    pub file: Option<PathBuf>,
    /// All environment variables, of which those that begin with `MARTLET_` count.
    pub variables: Vec<(String, String)>,
    /// Keys from the command line.
    pub flags: Vec<Flag>,
}

/// A configuration that has been read, but not yet checked as a whole.
#[derive(Clone)]
pub struct Config {
    /// The typed tree.
    pub options: Options,
    /// Whether nothing was configured, and everything is open.
    pub development: bool,
    given: Given,
}

impl Config {
    /// The configuration of a server that nobody configured: open to everybody on this machine.
    pub fn development() -> Self {
        let mut options = Options::default();
        open(&mut options);
        Self { options, development: true, given: nothing() }
    }

    /// Reads the file, then the environment, then the flags.
    pub fn load(inputs: &Inputs) -> Result<Self, Vec<ConfigError>> {
        let file = match &inputs.file {
            Some(path) => file::read(path)?,
            None => nothing(),
        };
        Self::assemble(file, inputs)
    }

    /// Reads `text` as if it were the file at `path`; nothing else counts.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Vec<ConfigError>> {
        let inputs = Inputs { file: Some(path.to_owned()), ..Inputs::default() };
        Self::assemble(file::parse(text, path)?, &inputs)
    }

    /// Checks the configuration as a whole and gives what the server uses.
    pub fn check(&self) -> Result<Settings, Vec<ConfigError>> {
        check::check(self).map_err(in_order)
    }

    fn assemble(mut given: Given, inputs: &Inputs) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader::default();
        let known = reference::entries();
        reader.errors.extend(overlay::environment(&mut given, &inputs.variables, &known));
        reader.errors.extend(overlay::flags(&mut given, &inputs.flags));
        let development =
            inputs.file.is_none() && !CLOSING_SECTIONS.iter().any(|name| given.has(name));
        let mut options = Options::default();
        if development {
            open(&mut options);
        }
        options.read(&given, &mut reader);
        match reader.errors.is_empty() {
            true => Ok(Self { options, development, given }),
            false => Err(in_order(reader.errors)),
        }
    }
}

/// Opens everything, as in development mode.
fn open(options: &mut Options) {
    options.channels.default = (&Namespace::open()).into();
    options.channels.unnamed = Some((&Namespace::open()).into());
}

/// A tree in which nothing was given.
fn nothing() -> Given {
    Given::table(Source::Flag(Arc::from("the defaults")))
}

/// By line, so that a person can go through the file; what has no line comes last.
fn in_order(mut errors: Vec<ConfigError>) -> Vec<ConfigError> {
    errors.sort_by_key(|error| match &error.source {
        Some(Source::File { line, .. }) => *line,
        _ => usize::MAX,
    });
    errors
}
