//! `martlet serve`: reads the configuration, starts logging, and runs the server.

use std::time::Duration;

use martlet_server::config::Settings;
use martlet_server::node::{Node, StartError};
use tokio::signal::unix::{SignalKind, signal};

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

/// How long clients get to go once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

fn serve(settings: Settings) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let node = Node::start(&settings).map_err(unstarted)?;
        for address in node.addresses() {
            let scheme = if node.encrypted() { "https" } else { "http" };
            tracing::info!("listening on {scheme}://{address}");
        }
        until_told_to_stop(&node).await?;
        tracing::info!("stopping: clients are told when to come back");
        tokio::select! {
            left = node.stop(GRACE) => match left {
                0 => tracing::info!("stopped; every client has gone"),
                left => tracing::warn!(left, "stopped; some clients had not gone"),
            },
            () = told_again() => tracing::warn!("stopped at once"),
        }
        Ok(())
    })
}

fn unstarted(error: StartError) -> Failure {
    let failure = Failure::failed(&error);
    match error {
        StartError::Listen { .. } => failure.hint("choose another address with --listen"),
        StartError::Engine(_) => failure.hint("start the engine, or correct its address"),
        _ => failure,
    }
}

/// Waits for SIGTERM or SIGINT. SIGHUP reads the certificate again.
async fn until_told_to_stop(node: &Node) -> Result<(), Failure> {
    let unheard = |error| Failure::failed(format!("cannot listen to signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(unheard)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => match node.reload_certificate() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => tracing::error!(%error, "the old certificate stays"),
            },
        }
    }
}

/// Waits for a second signal.
async fn told_again() {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    if let (Ok(mut terminate), Ok(mut interrupt)) = signals {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    } else {
        std::future::pending().await
    }
}
