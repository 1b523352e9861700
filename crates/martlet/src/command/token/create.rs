//! `martlet token create`: makes a token for a client.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use martlet_server::config::parse_duration;
use martlet_server::identity::{Signer, open};
use serde_json::{Map, Value, json};

use crate::configuration::ConfigurationArguments;
use crate::failure::Failure;
use crate::output::print;

/// Make a token for a client
///
/// For user ann, who may follow and publish in all rooms, for an hour:
///   martlet token create --config martlet.toml --user ann --permission 'room:*=subscribe,publish'
///
/// For whoever may follow one channel:
///   martlet token create --config martlet.toml --for-channel room:1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The user (sub)
    #[arg(long)]
    user: Option<String>,

    /// A channel to follow from the beginning; repeat it for several
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,

    /// What is permitted where, such as 'room:*=subscribe,publish'; repeat it for several. With
    /// --for-channel, the verbs alone
    #[arg(long = "permission", value_name = "CHANNELS=VERBS")]
    permissions: Vec<String>,

    /// Make a token for this channel instead of one for a connection
    #[arg(long, value_name = "CHANNEL", conflicts_with_all = ["channels", "info"])]
    for_channel: Option<String>,

    /// What other members see about the user, as JSON
    #[arg(long, value_name = "JSON")]
    info: Option<String>,

    /// How long the token is good, such as 30m, 1h or 7d, or never (for one without an end)
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    expires: String,

    /// Whom the token is meant for (aud); with --config the configured one
    #[arg(long)]
    audience: Option<String>,

    /// Who made the token (iss); with --config the configured one
    #[arg(long)]
    issuer: Option<String>,

    /// The name of the key (kid); with --config the configured one
    #[arg(long)]
    key_id: Option<String>,

    /// The secret to sign with (HS256)
    #[arg(long, env = "MARTLET_TOKEN_SECRET", hide_env_values = true, help_heading = "Key")]
    secret: Option<String>,

    /// A file with a private key in PEM to sign with (RS256, ES256, EdDSA)
    #[arg(long, value_name = "FILE", conflicts_with = "secret", help_heading = "Key")]
    private_key: Option<PathBuf>,

    /// A configuration whose secret to sign with
    #[arg(long, value_name = "FILE", env = "MARTLET_CONFIG", help_heading = "Key")]
    config: Option<PathBuf>,
}

/// What to sign with, and what the configuration asks of its tokens.
struct Maker {
    signer: Signer,
    audience: Option<String>,
    issuer: Option<String>,
    key_id: Option<String>,
}

/// Prints a token.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let maker = maker(arguments)?;
    let claims = claims(arguments, &maker)?;
    let key_id = arguments.key_id.as_ref().or(maker.key_id.as_ref());
    let token = maker.signer.sign(&claims, key_id.map(String::as_str)).map_err(Failure::wrong)?;
    acceptable(&token)?;
    print(&format!("{token}\n"))
}

/// Refuses to make what no server would accept.
fn acceptable(token: &str) -> Result<(), Failure> {
    let claims = open(token).and_then(|opened| opened.claims());
    let sound = claims.and_then(|claims| claims.sound());
    sound.map_err(|refusal| {
        Failure::wrong(format!("such a token would be refused: {}", refusal.message()))
    })
}

fn maker(arguments: &Arguments) -> Result<Maker, Failure> {
    let plain = |signer| Maker { signer, audience: None, issuer: None, key_id: None };
    match (&arguments.secret, &arguments.private_key, &arguments.config) {
        (Some(secret), _, _) => Ok(plain(Signer::secret(secret))),
        (None, Some(file), _) => {
            let pem = read(file)?;
            let signer = Signer::private_pem(&pem);
            let wrong = |error| Failure::wrong(format!("{}: {error}", file.display()));
            Ok(plain(signer.map_err(wrong)?))
        }
        (None, None, Some(file)) => configured(file),
        (None, None, None) => Err(Failure::wrong("there is no key to sign with")
            .hint("give --config, --secret or --private-key")),
    }
}

fn configured(file: &std::path::Path) -> Result<Maker, Failure> {
    let arguments = ConfigurationArguments { config: Some(file.to_owned()), ..Default::default() };
    let config = arguments.load()?;
    config.check()?;
    for table in &config.options.auth.tokens {
        let secret = match (&table.secret, &table.secret_file) {
            (Some(secret), _) => secret.0.clone(),
            (None, Some(file)) => read(file)?.trim_end().to_owned(),
            (None, None) => continue,
        };
        return Ok(Maker {
            signer: Signer::secret(&secret),
            audience: table.audience.first().cloned(),
            issuer: table.issuer.clone(),
            key_id: table.key_id.clone(),
        });
    }
    let none = format!("{} has no secret for tokens, only public keys if any", file.display());
    Err(Failure::wrong(none).hint("sign with --private-key, or add secret to [[auth.tokens]]"))
}

fn claims(arguments: &Arguments, maker: &Maker) -> Result<Map<String, Value>, Failure> {
    let texts = [
        ("sub", arguments.user.as_ref()),
        ("aud", arguments.audience.as_ref().or(maker.audience.as_ref())),
        ("iss", arguments.issuer.as_ref().or(maker.issuer.as_ref())),
        ("channel", arguments.for_channel.as_ref()),
    ];
    let given = texts.into_iter().filter_map(|(name, text)| Some((name.into(), json!(text?))));
    let mut claims: Map<String, Value> = given.collect();
    if !arguments.channels.is_empty() {
        claims.insert("channels".into(), json!(arguments.channels));
    }
    if let Some(permissions) = permissions(arguments)? {
        claims.insert("permissions".into(), permissions);
    }
    if let Some(info) = &arguments.info {
        let info = serde_json::from_str(info)
            .map_err(|error| Failure::wrong(format!("--info is not JSON: {error}")))?;
        claims.insert("info".into(), info);
    }
    if let Some(end) = end(&arguments.expires)? {
        claims.insert("exp".into(), json!(end));
    }
    Ok(claims)
}

fn permissions(arguments: &Arguments) -> Result<Option<Value>, Failure> {
    if arguments.permissions.is_empty() {
        return Ok(None);
    }
    let verbs = |text: &str| text.split(',').map(|verb| json!(verb.trim())).collect::<Vec<_>>();
    if arguments.for_channel.is_some() {
        return Ok(Some(arguments.permissions.iter().flat_map(|text| verbs(text)).collect()));
    }
    let mut rules = Map::new();
    for text in &arguments.permissions {
        let (pattern, words) = text.rsplit_once('=').ok_or_else(|| {
            Failure::wrong(format!("--permission {text:?} does not say where"))
                .hint("write channels and verbs, as in 'room:*=subscribe,publish'")
        })?;
        let rule = rules.entry(pattern).or_insert_with(|| json!([]));
        if let Value::Array(list) = rule {
            list.extend(verbs(words));
        }
    }
    Ok(Some(Value::Object(rules)))
}

/// The second at which the token ends.
fn end(expires: &str) -> Result<Option<u64>, Failure> {
    if expires == "never" {
        return Ok(None);
    }
    let duration = parse_duration(expires).ok_or_else(|| {
        Failure::wrong(format!("--expires {expires:?} is not a duration"))
            .hint("write 30m, 1h, 7d or never")
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some((now + duration).as_secs()))
}

fn read(file: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::wrong(format!("{} cannot be read: {error}", file.display())))
}
