//! How a transcript sets the server up: its `given` lines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use martlet_core::model::{
    Access, ChannelName, Code, Lagging, Limits, Namespace, Namespaces, UnixMillis, UserId,
};
use martlet_core::session::{
    ChannelGrant, GrantKey, Identity, Question, Rules, Verb, Verbs, Verdict,
};
use martlet_protocol::vectors::parse_duration;

/// When every transcript begins.
pub(super) const BEGINNING: UnixMillis = UnixMillis(1_700_000_000_000);

/// What a token's text stands for.
enum Token {
    User(Identity),
    Channel(ChannelGrant),
    Refused(Code),
}

/// The set-up.
pub(super) struct Setting {
    pub rules: Arc<Rules>,
    tokens: BTreeMap<String, Token>,
}

type Parsed<T> = Result<T, String>;

impl Setting {
    /// Reads the `given` lines, each without that word.
    pub fn parse<'a>(given: impl Iterator<Item = &'a str>) -> Parsed<Self> {
        let usual = usual();
        let mut namespaces = Namespaces {
            default: Some(usual.clone()),
            named: BTreeMap::new(),
            unnamed: Some(usual),
        };
        let (mut limits, mut tokens) = (Limits::default(), BTreeMap::new());
        for line in given {
            let (kind, rest) = line.split_once(' ').ok_or("given what?")?;
            match kind {
                "namespace" => give_namespace(&mut namespaces, rest)?,
                "limit" => give_limit(&mut limits, rest)?,
                "token" => {
                    let (word, rest) = rest.split_once(' ').ok_or("a token of what?")?;
                    tokens.insert(word.into(), token(rest)?);
                }
                other => return Err(format!("given {other}?")),
            }
        }
        Ok(Self { rules: Arc::new(rules(namespaces, limits)), tokens })
    }

    /// Judges a question about a token or a grant.
    pub fn judge(&self, now: UnixMillis, question: &Question) -> Verdict {
        match question {
            Question::Grant(_) => Verdict::Stands,
            Question::Nobody => Verdict::Identity(Box::default()),
            Question::Token(text) => match self.tokens.get(&**text) {
                Some(Token::User(identity)) if identity.expires.is_none_or(|at| now < at) => {
                    Verdict::Identity(Box::new(identity.clone()))
                }
                token => refused(token),
            },
            Question::Channel { channel, token } => match self.tokens.get(&**token) {
                Some(Token::Channel(grant)) if grant.channel != *channel => {
                    Verdict::Refused(Code::TokenMismatch.into())
                }
                Some(Token::Channel(grant)) if grant.expires.is_none_or(|at| now < at) => {
                    Verdict::Channel(grant.clone())
                }
                token => refused(token),
            },
        }
    }
}

fn refused(token: Option<&Token>) -> Verdict {
    let code = match token {
        Some(Token::Refused(code)) => *code,
        Some(_) => Code::TokenExpired,
        None => Code::TokenInvalid,
    };
    Verdict::Refused(code.into())
}

fn usual() -> Namespace {
    Namespace {
        history_size: 100,
        history_age: Duration::from_secs(3_600),
        presence: false,
        join_leave: false,
        ..Namespace::open()
    }
}

fn rules(namespaces: Namespaces, limits: Limits) -> Rules {
    Rules {
        namespaces: Arc::new(namespaces),
        limits,
        anonymous: true,
        ping: Duration::from_secs(25),
        pong: Duration::from_secs(10),
        expiry: Duration::from_secs(60),
        grant_lifetime: Duration::from_secs(3_600),
        grant_key: GrantKey::new(b"the key of all transcripts"),
    }
}

fn give_namespace(namespaces: &mut Namespaces, text: &str) -> Parsed<()> {
    let (name, options) = text.split_once(' ').ok_or("a namespace with what options?")?;
    let namespace = if options == "refused" { None } else { Some(namespace(options)?) };
    match (name, namespace) {
        ("-", namespace) => namespaces.default = namespace,
        ("*", namespace) => namespaces.unnamed = namespace,
        (name, Some(namespace)) => {
            namespaces.named.insert(name.into(), namespace);
        }
        (name, None) => return Err(format!("{name} is refused by not being there")),
    }
    Ok(())
}

fn namespace(options: &str) -> Parsed<Namespace> {
    let mut namespace = usual();
    for (name, value) in pairs(options) {
        match name {
            "history_size" => namespace.history_size = number(value)?,
            "history_age" => namespace.history_age = duration(value)?,
            "recovery" => namespace.recovery = flag(value)?,
            "presence" => namespace.presence = flag(value)?,
            "join_leave" => namespace.join_leave = flag(value)?,
            "presence_grace" => namespace.presence_grace = duration(value)?,
            "subscribe" => namespace.subscribe = access(value)?,
            "publish" => namespace.publish = access(value)?,
            "history" => namespace.history = access(value)?,
            "see_presence" => namespace.see_presence = access(value)?,
            "lagging" => namespace.lagging = lagging(value)?,
            other => return Err(format!("a namespace has no {other}")),
        }
    }
    Ok(namespace)
}

fn give_limit(limits: &mut Limits, text: &str) -> Parsed<()> {
    let (name, value) = text.split_once('=').ok_or("a limit is NAME=VALUE")?;
    let value: usize = number(value)?;
    match name {
        "frame_bytes" => limits.frame_bytes = value,
        "commands_per_frame" => limits.commands_per_frame = value,
        "data_bytes" => limits.data_bytes = value,
        "name_bytes" => limits.name_bytes = value,
        "tags" => limits.tags = value,
        "channels_per_client" => limits.channels_per_client = value,
        "channels_per_node" => limits.channels_per_node = value,
        "history_page" => limits.history_page = value,
        "presence_page" => limits.presence_page = value,
        "commands_per_second" => limits.commands_per_second = value as u32,
        "commands_burst" => limits.commands_burst = value as u32,
        "owed_bytes" => limits.owed_bytes = value,
        "log_publications" => limits.log_publications = value,
        "log_bytes" => limits.log_bytes = value,
        other => return Err(format!("there is no limit {other}")),
    }
    Ok(())
}

fn token(text: &str) -> Parsed<Token> {
    let fields: BTreeMap<&str, &str> = pairs(text).collect();
    let expires = fields.get("expires").map(|value| duration(value)).transpose()?;
    let expires = expires.map(|life| BEGINNING.plus_ms(life.as_millis() as u64));
    if let Some(code) = fields.get("refused") {
        let code = Code::from_number(number(code)?).ok_or("there is no such code")?;
        return Ok(Token::Refused(code));
    }
    if let Some(channel) = fields.get("channel") {
        let channel = ChannelName::parse(channel).map_err(|error| error.to_string())?;
        let verbs = fields.get("verbs").map_or(Ok(Verbs::READ), |words| verbs(words))?;
        return Ok(Token::Channel(ChannelGrant { channel, verbs, expires }));
    }
    let user = fields.get("user").and_then(|user| UserId::parse(user));
    let info = fields.get("info").map(|info| info.as_bytes().to_vec().into());
    Ok(Token::User(Identity { user, expires, info, ..Identity::default() }))
}

fn verbs(words: &str) -> Parsed<Verbs> {
    let verb = |word: &str| Verb::parse(word).ok_or_else(|| format!("{word} is no verb"));
    words.split(',').map(verb).collect()
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(' ').filter_map(|pair| pair.split_once('='))
}

fn number<T: std::str::FromStr>(text: &str) -> Parsed<T> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn flag(text: &str) -> Parsed<bool> {
    text.parse().map_err(|_| format!("{text} is neither true nor false"))
}

fn duration(text: &str) -> Parsed<Duration> {
    parse_duration(text).ok_or_else(|| format!("{text} is no time"))
}

fn lagging(word: &str) -> Parsed<Lagging> {
    match word {
        "gap" => Ok(Lagging::Gap),
        "close" => Ok(Lagging::Close),
        _ => Err(format!("{word} is no way to lag")),
    }
}

fn access(word: &str) -> Parsed<Access> {
    match word {
        "anyone" => Ok(Access::Anyone),
        "users" => Ok(Access::Users),
        "granted" => Ok(Access::Granted),
        "backend" => Ok(Access::Backend),
        _ => Err(format!("{word} is no access")),
    }
}
