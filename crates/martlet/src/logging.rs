//! Where log lines go: to standard error, as text for people or as JSON for machines. Standard
//! output belongs to what a subcommand was asked for.

use std::io::IsTerminal;

use martlet_server::config::LogFormat;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Starts logging. `level` is a level (`info`) or a list of them by module
/// (`info,martlet_server=debug`).
pub fn start(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        Failure::wrong(format!("log.level: {level:?} is not a level: {error}"))
            .hint("write error, warn, info, debug or trace")
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::failed(format!("logging could not be started: {error}")))
}
