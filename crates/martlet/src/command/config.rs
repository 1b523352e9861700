//! `martlet config`: checks and explains the configuration.

use std::path::PathBuf;

use martlet_server::config::{Config, Settings, Tls, reference};
use martlet_server::keys::ApiKeys;

use crate::configuration::ConfigurationArguments;
use crate::failure::Failure;
use crate::output::print;

/// Check a configuration, or see every option there is.
///
/// Begin a configuration:  martlet config default > martlet.toml
///
/// See what is wrong with it:  martlet config check martlet.toml
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Tell everything that is wrong with a configuration, or what it amounts to
    ///
    /// The environment and the flags count as they do for martlet serve.
    Check {
        /// The configuration file
        #[arg(value_name = "FILE", conflicts_with = "config")]
        file: Option<PathBuf>,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// Print a configuration file with every key, its explanation and its default
    Default,
    /// Print the reference of all keys as Markdown
    Reference,
}

/// Does what the arguments say.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.action {
        Action::Check { file, mut configuration } => {
            configuration.config = file.or(configuration.config);
            check(&configuration)
        }
        Action::Default => print(&reference::default_file()),
        Action::Reference => print(&reference::page()),
    }
}

fn check(configuration: &ConfigurationArguments) -> Result<(), Failure> {
    let config: Config = configuration.load()?;
    let settings = config.check()?;
    print(&summary(&settings))
}

/// What the configuration amounts to, in a few lines.
fn summary(settings: &Settings) -> String {
    let listen: Vec<_> = settings.listen.iter().map(ToString::to_string).collect();
    let tls = match &settings.tls {
        None => "plain HTTP",
        Some(Tls::Files { .. }) => "HTTPS",
        Some(Tls::Development) => "HTTPS with a certificate that nobody trusts",
    };
    let mode = match settings.development {
        true => "Nothing is configured: development mode, open to everybody on this machine.",
        false => "The configuration is right.",
    };
    let keys = match &settings.keys {
        ApiKeys::Open => "the backend API needs no key".to_owned(),
        ApiKeys::Keys(keys) => format!("{} for the backend API", counted(keys.len(), "key")),
    };
    format!(
        "{mode}\n  {tls} on {}, {}\n  {} of keys for tokens, {keys}\n  {}\n",
        listen.join(" and "),
        counted(settings.workers, "worker"),
        counted(settings.tokens.len(), "source"),
        counted(settings.namespaces.named.len(), "namespace"),
    )
}

fn counted(count: usize, thing: &str) -> String {
    match count {
        0 => format!("no {thing}s"),
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}
