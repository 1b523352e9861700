//! `martlet token inspect`: says in words what a token permits, when it ends, and whether a
//! server would take it.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use martlet_core::model::{Refusal, UnixMillis};
use martlet_core::session::{ChannelGrant, Identity};
use martlet_server::config::{Settings, write_duration};
use martlet_server::identity::{Claims, Opened, TOKEN_BYTES_MAX, Verifier, open};

use crate::configuration::ConfigurationArguments;
use crate::failure::Failure;
use crate::output::print;

/// Say in words what a token permits, when it ends, and whether it is good.
///
/// See why a server refuses a token:  martlet token inspect --config martlet.toml eyJ…
///
/// Without --config nobody checks the signature, and the words are only what the token claims.
/// Exits with 1 when the token is not good.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The token; - reads it from standard input
    token: String,

    /// A configuration whose keys to check it with
    #[arg(long, value_name = "FILE", env = "MARTLET_CONFIG")]
    config: Option<PathBuf>,
}

/// Prints what the token says, and fails if it is not good.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let token = token(&arguments.token)?;
    let opened = open(&token).map_err(refused)?;
    let claims = opened.claims().map_err(refused)?;
    let settings = match &arguments.config {
        Some(_) => Some(settings(arguments)?),
        None => None,
    };
    print(&words(&opened, &claims)?)?;
    match settings {
        Some(settings) => verify(&token, settings),
        None => {
            claims.timely(now(), Duration::ZERO).map_err(refused)?;
            print("Nobody has checked the signature; give --config to do so.\n")
        }
    }
}

fn token(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.trim().to_owned());
    }
    let mut text = String::new();
    let input = std::io::stdin().take(2 * TOKEN_BYTES_MAX as u64).read_to_string(&mut text);
    input.map_err(|error| Failure::failed(format!("standard input: {error}")))?;
    Ok(text.trim().to_owned())
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let configuration =
        ConfigurationArguments { config: arguments.config.clone(), ..Default::default() };
    Ok(configuration.load()?.check()?)
}

fn verify(token: &str, settings: Settings) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the runtime did not start: {error}")))?;
    let verifier = Verifier::new(settings.tokens, settings.leeway);
    runtime.block_on(verifier.claims(token, now())).map_err(refused)?;
    print("The signature is right, and a server with this configuration takes the token.\n")
}

/// What a token says, a line for each thing.
fn words(opened: &Opened<'_>, claims: &Claims) -> Result<String, Failure> {
    let key = match &opened.key_id {
        Some(id) => format!(", by the key {id:?}"),
        None => String::new(),
    };
    let signed = format!("Signed with {}{key}.\n", opened.algorithm);
    let said = match claims.channel().map_err(refused)? {
        Some(channel) => {
            let user = claims.user().map_err(refused)?;
            let grant = claims.channel_grant(&channel, user.as_ref(), Duration::ZERO);
            let bearer = user.map_or("whoever brings it".into(), |user| format!("user {user}"));
            channel_words(&grant.map_err(refused)?, &bearer)
        }
        None => connection_words(&claims.identity(Duration::ZERO).map_err(refused)?),
    };
    let end = end_words(claims.expires().map_err(refused)?);
    Ok(format!("{signed}{said}{end}\n"))
}

fn channel_words(grant: &ChannelGrant, bearer: &str) -> String {
    format!("A token for the channel {}, for {bearer}, with: {}.\n", grant.channel, grant.verbs)
}

fn connection_words(identity: &Identity) -> String {
    let mut text = match &identity.user {
        Some(user) => format!("A token for a connection of user {user}.\n"),
        None => "A token for a connection without a user.\n".into(),
    };
    if !identity.channels.is_empty() {
        let names: Vec<_> = identity.channels.iter().map(|name| name.as_str()).collect();
        text.push_str(&format!("It follows from the beginning: {}.\n", names.join(", ")));
    }
    for (pattern, verbs) in identity.permissions.rules() {
        text.push_str(&format!("It permits in {pattern}: {verbs}.\n"));
    }
    if let Some(info) = &identity.info {
        text.push_str(&format!("Members see: {}\n", String::from_utf8_lossy(info)));
    }
    text
}

fn end_words(expires: Option<UnixMillis>) -> String {
    let Some(end) = expires else { return "It never ends.".into() };
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(end.0));
    let seconds = |ms: u64| write_duration(Duration::from_secs(ms / 1_000));
    match end.0.checked_sub(now().0) {
        Some(left) => format!("It ends {date}, in {}.", seconds(left)),
        None => format!("It ended {date}, {} ago.", seconds(now().0 - end.0)),
    }
}

fn refused(refusal: Refusal) -> Failure {
    Failure::failed(format!("{} ({})", refusal.message(), refusal.code.number()))
        .hint(refusal.code.hint())
}

fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
