//! The flags by which a subcommand is given its configuration, and how they come together with
//! the file and the environment.

use std::path::PathBuf;

use martlet_server::config::{Config, Flag, Inputs};

use crate::failure::Failure;

/// Where the configuration comes from.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigurationArguments {
    /// The configuration file. See every key with: martlet config default
    #[arg(long, value_name = "FILE", env = "MARTLET_CONFIG")]
    pub config: Option<PathBuf>,

    /// An address to listen on, such as 0.0.0.0:8000; repeat it for several
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<String>,

    /// The engine: memory, or an address such as redis://127.0.0.1:6379 or nats://127.0.0.1:4222.
    /// Nodes with the same one are one cluster
    #[arg(long, value_name = "ADDRESS")]
    pub engine: Option<String>,

    /// Set any key, such as limits.frame_bytes=128KiB; repeat it for several
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigurationArguments {
    /// Reads the file, the environment and the flags.
    pub fn load(&self) -> Result<Config, Failure> {
        let inputs =
            Inputs { file: self.config.clone(), variables: variables(), flags: self.flags()? };
        Ok(Config::load(&inputs)?)
    }

    fn flags(&self) -> Result<Vec<Flag>, Failure> {
        let mut flags = self.set.iter().map(|text| flag(text)).collect::<Result<Vec<_>, _>>()?;
        if !self.listen.is_empty() {
            let value = self.listen.join(",");
            flags.push(Flag { flag: "--listen".into(), path: "server.listen".into(), value });
        }
        if let Some(value) = self.engine.clone() {
            flags.push(Flag { flag: "--engine".into(), path: "engine.address".into(), value });
        }
        Ok(flags)
    }
}

fn flag(text: &str) -> Result<Flag, Failure> {
    let (path, value) = text.split_once('=').ok_or_else(|| {
        Failure::wrong("--set needs a key and a value").hint("as in --set log.level=debug")
    })?;
    Ok(Flag { flag: "--set".into(), path: path.trim().into(), value: value.into() })
}

/// The variables that may be ours; one that is not UTF-8 is read as best can be, and refused
/// where its value is used.
fn variables() -> Vec<(String, String)> {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    let all = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    all.filter(|(name, _)| name.starts_with("MARTLET_")).collect()
}
