//! `martlet drain`: has a node let its clients go and stop, and shows how far it is.

use std::time::Duration;

use martlet_client::{Api, ApiOptions, DrainPlan, DrainProgress, Error};
use martlet_server::config::{parse_duration, write_duration};

use super::connection::{Connection, failure, runtime};
use crate::failure::Failure;
use crate::output::print;

/// Have a node let its clients go, and stop
///
/// As it is configured:          martlet drain --url http://10.0.0.5:8000
///
/// Over five minutes:            martlet drain --url http://10.0.0.5:8000 --over 5m
///
/// The node says that it is not ready, waits, lets its clients go evenly, each told when and where
/// to come back, and stops. The command follows until it has. Ask the node by its own address, not
/// by that of a load balancer.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How long it says that it is not ready before it lets the first client go
    #[arg(long, value_name = "TIME", value_parser = time)]
    wait: Option<Duration>,

    /// Over which time it lets them go
    #[arg(long, value_name = "TIME", value_parser = time)]
    over: Option<Duration>,

    /// How long the last ones then get before their connections are cut
    #[arg(long, value_name = "TIME", value_parser = time)]
    force: Option<Duration>,

    /// Return as soon as it has begun
    #[arg(long)]
    no_follow: bool,

    #[command(flatten)]
    connection: Connection,

    /// The key for the server's API, if it wants one: it needs the scope "all"
    #[arg(long, env = "MARTLET_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_secs(1);

fn time(text: &str) -> Result<Duration, String> {
    let example = write_duration(Duration::from_secs(90));
    parse_duration(text).ok_or_else(|| format!("a time is a number and a unit, such as {example}"))
}

/// Begins the drain, and follows it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let options = ApiOptions { tls: arguments.connection.tls(), ..ApiOptions::default() };
    let api = Api::with(&arguments.connection.url, arguments.api_key.as_deref(), options);
    let api = api.map_err(|error| failure(&error))?;
    let plan = DrainPlan { wait: arguments.wait, over: arguments.over, force: arguments.force };
    runtime()?.block_on(async {
        let begun = api.drain(plan).await.map_err(|error| failure(&error))?;
        show(&begun)?;
        if arguments.no_follow { Ok(()) } else { follow(&api, begun).await }
    })
}

/// Shows how far it is until the node has stopped. Its last answers may get lost with it.
async fn follow(api: &Api, mut shown: DrainProgress) -> Result<(), Failure> {
    loop {
        tokio::time::sleep(LOOK).await;
        match api.drain_progress().await {
            Ok(now) if now == shown => {}
            Ok(now) => {
                show(&now)?;
                shown = now;
            }
            Err(error @ Error::Refused(_)) if shown.stage != "ending" => {
                return Err(failure(&error));
            }
            Err(_) => return print("stopped\n"),
        }
    }
}

fn show(progress: &DrainProgress) -> Result<(), Failure> {
    let DrainProgress { stage, began_with, connections, .. } = progress;
    print(&format!("{stage}: {connections} of {began_with} clients are still there\n"))
}
