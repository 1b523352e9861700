//! How a NATS server is found and used. Nothing is connected here.

use std::time::Duration;

use async_nats::ServerAddr;

#[cfg(test)]
mod tests;

/// Where the server keeps histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// On disk.
    #[default]
    File,
    /// In its memory: all is lost when it ends, and known to be.
    Memory,
}

/// How a NATS server is found and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The servers of one NATS cluster, any of which will do.
    pub servers: Vec<ServerAddr>,
    /// What every subject and every stream begins with.
    pub prefix: String,
    /// How many servers keep each history. With more than one, reads are asked of the leader.
    pub replicas: usize,
    /// Where they keep it.
    pub storage: Storage,
    /// How long a channel in which nothing is published is remembered, at least. It is not how
    /// long a history is readable.
    pub remembered: Duration,
}

/// What is wrong with an address or a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is no server in it.
    #[error("no NATS server is named; write nats://host:4222")]
    Empty,
    /// It is no address.
    #[error(
        "{0:?} is no address of a NATS server ({1}); write nats://host:4222 or tls://host:4222"
    )]
    Address(String, String),
    /// It is an address of something else.
    #[error("{0:?} is no address of a NATS server: it begins with {1}://, not nats:// or tls://")]
    Scheme(String, String),
    /// The prefix cannot be part of a subject and of a stream's name.
    #[error("the prefix {0:?} is not made of 1 to 32 letters, digits, - and _")]
    Prefix(String),
    /// There is no such option.
    #[error("{0:?} is no option: prefix=NAME, replicas=1…5 and storage=file or memory are")]
    Option(String),
    /// No server has so many copies.
    #[error("{0} replicas are not between 1 and 5")]
    Replicas(usize),
}

impl Settings {
    /// Reads addresses, with commas between several: `nats://user:password@a:4222,tls://b`; and
    /// after a `?` what differs from the defaults: `prefix=NAME&replicas=3&storage=memory`.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let (addresses, options) = text.split_once('?').unwrap_or((text, ""));
        let texts = addresses.split(',').map(str::trim).filter(|text| !text.is_empty());
        let servers = texts.map(address).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(SettingsError::Empty);
        }
        let mut settings = Self {
            servers,
            prefix: "martlet".to_owned(),
            replicas: 1,
            storage: Storage::File,
            remembered: Duration::from_secs(24 * 3_600),
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            settings.set(option)?;
        }
        settings.check()?;
        Ok(settings)
    }

    fn set(&mut self, option: &str) -> Result<(), SettingsError> {
        let unknown = || SettingsError::Option(option.to_owned());
        match option.split_once('=').ok_or_else(unknown)? {
            ("prefix", prefix) => self.prefix = prefix.to_owned(),
            ("replicas", number) => self.replicas = number.parse().map_err(|_| unknown())?,
            ("storage", "file") => self.storage = Storage::File,
            ("storage", "memory") => self.storage = Storage::Memory,
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// Whether they can be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if self.prefix.is_empty() || self.prefix.len() > 32 || !self.prefix.bytes().all(fits) {
            return Err(SettingsError::Prefix(self.prefix.clone()));
        }
        if !(1..=5).contains(&self.replicas) {
            return Err(SettingsError::Replicas(self.replicas));
        }
        Ok(())
    }
}

fn address(text: &str) -> Result<ServerAddr, SettingsError> {
    if let Some((scheme, _)) = text.split_once("://")
        && !matches!(scheme, "nats" | "tls")
    {
        return Err(SettingsError::Scheme(hidden(text), scheme.to_owned()));
    }
    text.parse()
        .map_err(|error: std::io::Error| SettingsError::Address(hidden(text), error.to_string()))
}

/// The text without a password that may be in it.
fn hidden(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    }
}
