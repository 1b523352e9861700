//! How a subcommand fails: one clear sentence, what exactly is wrong, a hint, and an exit code.
//!
//! 0 is success; 1 means that it was tried and did not succeed; 2 that the command line or the
//! configuration is wrong, so that trying again changes nothing.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use martlet_server::config::ConfigError;

/// Why a subcommand did not do its work.
#[derive(Debug)]
pub struct Failure {
    message: String,
    details: Vec<String>,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// It was tried and did not succeed.
    pub fn failed(message: impl Display) -> Self {
        Self { message: message.to_string(), details: Vec::new(), hint: None, code: 1 }
    }

    /// The command line or the configuration is wrong.
    pub fn wrong(message: impl Display) -> Self {
        Self { code: 2, ..Self::failed(message) }
    }

    /// The same with advice on what to do.
    pub fn hint(self, hint: impl Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }

    /// Tells the person, and gives the code to exit with.
    pub fn report(&self) -> ExitCode {
        let mut text = format!("martlet: {}\n", self.message);
        for detail in &self.details {
            text.push_str(&format!("{detail}\n"));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("  hint: {hint}\n"));
        }
        // Nobody is left to be told when standard error itself is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.code)
    }
}

impl From<Vec<ConfigError>> for Failure {
    fn from(errors: Vec<ConfigError>) -> Self {
        let message = match errors.len() {
            1 => "there is an error in the configuration".to_owned(),
            count => format!("there are {count} errors in the configuration"),
        };
        let details = errors.iter().map(ConfigError::to_string).collect();
        Self { details, ..Self::wrong(message) }
    }
}
