//! `martlet serve`: reads the configuration, starts logging, and runs the server.

use std::io;
use std::net::TcpListener;
use std::pin::Pin;

use martlet_server::config::Settings;
use martlet_server::drain::Plan;
use martlet_server::handover::{Beginning, Listeners, Taker};
use martlet_server::node::{Node, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::configuration::ConfigurationArguments;
use crate::failure::Failure;
use crate::logging;

mod notify;
mod passed;
mod successor;

use successor::Program;

/// Run the server
///
/// Try it out, open to everybody on this machine:  martlet serve
///
/// Run it for an app:  martlet serve --config martlet.toml
///
/// A key given in the environment (MARTLET_SERVER__LISTEN) wins over the file, and a flag over
/// both. Begin a file with: martlet config default > martlet.toml
///
/// Signals: TERM and INT let the clients go and stop it, a second one at once; HUP reads the certificate again; USR2
/// starts the program anew with the same arguments and hands everything over to it, so that
/// nobody is dropped. Sockets passed in (LISTEN_FDS, as by systemd) are listened on instead of
/// server.listen.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Runs the server until it is told to stop.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let origin = Origin::of_this_process()?;
    let settings = arguments.configuration.load()?.check()?;
    logging::start(settings.log_format, &settings.log_level)?;
    if settings.development {
        tracing::warn!(
            "development mode: nothing is configured, and everybody on this machine may do \
             everything; for others give --config"
        );
    }
    serve(settings, origin)
}

/// Where a server begins.
struct Origin {
    program: io::Result<Program>,
    passed: Vec<TcpListener>,
    /// The line to the node whose place it takes.
    before: Option<Taker>,
}

impl Origin {
    fn of_this_process() -> Result<Self, Failure> {
        let unclear = |error| Failure::failed(format!("standard input is not a line: {error}"));
        let before = successor::line().map_err(unclear)?;
        Ok(Self { program: Program::of_this_process(), passed: passed::sockets()?, before })
    }
}

fn serve(settings: Settings, origin: Origin) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
        let node = start(&settings, origin.passed, origin.before).map_err(unstarted)?;
        let end = until_the_end(&node, &mut signals, &origin.program).await;
        // The first signal after the API was asked is the one that comes with every stop.
        let more = if matches!(end, End::Asked(_)) { 2 } else { 1 };
        tokio::select! {
            left = leave(node, end, settings.drain) => match left {
                0 => tracing::info!("stopped; every client has gone"),
                left => tracing::warn!(left, "stopped; some clients had not gone"),
            },
            () = signals.ends(more) => tracing::warn!("stopped at once"),
        }
        Ok(())
    })
}

/// Lets the clients go. Says how many had not gone.
async fn leave(node: Node, end: End, configured: Plan) -> usize {
    let plan = match end {
        End::Succeeded(process) => {
            tracing::info!(process, "a successor serves: clients are told to come back");
            return node.stop_for_successor(configured).await;
        }
        End::Stop => configured,
        End::Asked(plan) => plan,
    };
    tracing::info!("stopping: clients are told when to come back");
    notify::stopping();
    node.drain(plan).await
}

/// Starts the node, alone or in the place of another. When this returns, it serves.
fn start(
    settings: &Settings,
    passed: Vec<TcpListener>,
    before: Option<Taker>,
) -> Result<Node, StartError> {
    let node = match before {
        Some(mut taker) => {
            let node = Node::begin(settings, Beginning::take(&mut taker, settings)?)?;
            taker.ready()?;
            node.open();
            // The node before tells systemd: it is the one that is asked.
            taker.serving();
            node
        }
        None => {
            let listeners = match passed.is_empty() {
                true => Listeners::open(settings)?,
                false => Listeners::passed(passed, settings)?,
            };
            let node = Node::begin(settings, Beginning::anew(listeners))?;
            notify::ready();
            node
        }
    };
    for address in node.addresses() {
        let scheme = if node.encrypted() { "https" } else { "http" };
        tracing::info!("listening on {scheme}://{address}");
    }
    Ok(node)
}

fn unstarted(error: StartError) -> Failure {
    let failure = Failure::failed(&error);
    match error {
        StartError::Listen { .. } => failure.hint("choose another address with --listen"),
        StartError::Passed { .. } => failure.hint("only sockets that listen for TCP may be passed"),
        StartError::Open(_) => failure.hint("say who may do what, with --config"),
        StartError::Engine(_) => failure.hint("start the engine, or correct its address"),
        _ => failure,
    }
}

/// The signals that are listened to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    succeed: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            succeed: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for so many that end the process.
    async fn ends(&mut self, count: usize) {
        for _ in 0..count {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        }
    }
}

/// Why a node ends.
enum End {
    /// It was told to by a signal.
    Stop,
    /// The API was asked for it, and how.
    Asked(Plan),
    /// This process serves in its place.
    Succeeded(u32),
}

/// Waits for SIGTERM, SIGINT or somebody who asks for a drain, or until SIGUSR2 has brought a successor. SIGHUP reads the
/// certificate again.
async fn until_the_end(node: &Node, signals: &mut Signals, program: &io::Result<Program>) -> End {
    let mut handing: Option<Pin<Box<dyn Future<Output = Option<u32>> + '_>>> = None;
    loop {
        let Signals { terminate, interrupt, hangup, succeed } = signals;
        tokio::select! {
            _ = terminate.recv() => return End::Stop,
            _ = interrupt.recv() => return End::Stop,
            plan = node.asked_to_drain() => return End::Asked(plan),
            _ = hangup.recv() => reload(node),
            _ = succeed.recv() => match handing {
                Some(_) => tracing::warn!("a hand-over is under way already"),
                None => handing = Some(Box::pin(hand_over(node, program))),
            },
            process = under_way(&mut handing) => match process {
                Some(process) => return End::Succeeded(process),
                None => handing = None,
            },
        }
    }
}

/// What comes of something, if it is under way.
async fn under_way<F: Future + Unpin>(something: &mut Option<F>) -> F::Output {
    match something {
        Some(something) => something.await,
        None => std::future::pending().await,
    }
}

fn reload(node: &Node) {
    match node.reload_certificate() {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(error) => tracing::error!(%error, "the old certificate stays"),
    }
}

/// Hands over to a successor, and gives its process number; if there is none, the node goes on.
async fn hand_over(node: &Node, program: &io::Result<Program>) -> Option<u32> {
    notify::reloading();
    let handed = match program {
        Ok(program) => successor::hand_over(program, node).await,
        Err(error) => Err(format!("it is not known where the program is: {error}")),
    };
    match handed {
        Ok(process) => {
            notify::succeeded_by(process);
            Some(process)
        }
        Err(error) => {
            notify::stayed();
            tracing::error!(error, "there is no successor; this node goes on");
            None
        }
    }
}
