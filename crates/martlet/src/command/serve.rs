//! `martlet serve`: reads the configuration, starts logging, and runs the server.

use martlet_server::config::Settings;
use martlet_server::drain::Plan;
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
/// SIGTERM and SIGINT let the clients go and stop the server; a second one stops it at once.
/// SIGHUP reads the certificate again.
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

fn serve(settings: Settings) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let node = Node::start(&settings).map_err(unstarted)?;
        for address in node.addresses() {
            let scheme = if node.encrypted() { "https" } else { "http" };
            tracing::info!("listening on {scheme}://{address}");
        }
        let told = until_told_to_stop(&node).await?;
        tracing::info!("stopping: clients are told when to come back");
        // The first signal after the API was asked is the one that comes with every stop.
        let more = if matches!(told, Told::Asked(_)) { 2 } else { 1 };
        let plan = match told {
            Told::Asked(plan) => plan,
            Told::Signal => settings.drain.into(),
        };
        tokio::select! {
            left = node.drain(plan) => match left {
                0 => tracing::info!("stopped; every client has gone"),
                left => tracing::warn!(left, "stopped; some clients had not gone"),
            },
            () = told_again(more) => tracing::warn!("stopped at once"),
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

/// Who told the server to stop.
enum Told {
    /// A signal.
    Signal,
    /// The API was asked, and how.
    Asked(Plan),
}

/// Waits for SIGTERM, SIGINT, or somebody who asks for a drain. SIGHUP reads the certificate again.
async fn until_told_to_stop(node: &Node) -> Result<Told, Failure> {
    let unheard = |error| Failure::failed(format!("cannot listen to signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(unheard)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(Told::Signal),
            _ = interrupt.recv() => return Ok(Told::Signal),
            plan = node.asked_to_drain() => return Ok(Told::Asked(plan)),
            _ = hangup.recv() => match node.reload_certificate() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => tracing::error!(%error, "the old certificate stays"),
            },
        }
    }
}

/// Waits for `more` signals.
async fn told_again(more: usize) {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        return std::future::pending().await;
    };
    for _ in 0..more {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
