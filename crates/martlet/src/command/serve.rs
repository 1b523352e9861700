//! `martlet serve`: reads the configuration, starts logging, and runs the server.

use martlet_server::config::Settings;

use crate::configuration::ConfigurationArguments;
use crate::failure::Failure;
use crate::logging;

/// Run the server
///
/// Try it out, open to everybody on this machine:  martlet serve
///
/// Run it for an app:  martlet serve --config martlet.toml
///
/// A key given in the environment (MARTLET_SERVER__LISTEN) wins over the file, and a flag over
/// both. Begin a file with: martlet config default > martlet.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Runs the server until it is told to stop.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = arguments.configuration.load()?.check()?;
    logging::start(settings.log_format, &settings.log_level)?;
    if settings.development {
        tracing::warn!(
            "development mode: nothing is configured, and everybody on this machine may do \
             everything; for others give --config"
        );
    }
    serve(settings)
}

fn serve(_settings: Settings) -> Result<(), Failure> {
    Err(Failure::failed("the server is not in this build yet"))
}
