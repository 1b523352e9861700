//! What a token says, read strictly: a claim that we know and cannot read makes the token
//! invalid, so that a mistake is never a permission.

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::{ChannelName, Code, Refusal, UnixMillis, UserId};
use martlet_core::session::{ChannelGrant, Identity, Pattern, Permissions, Verb, Verbs};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::source::TokenSource;
use super::token::{invalid, object};

/// The last second of the year 9999. Later times are mistakes, most often milliseconds.
const TIME_MAX: f64 = 253_402_300_799.0;

/// The claims that we know, unread. A claim that is there twice makes the token invalid, and
/// one that is `null` is there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Claims {
    #[serde(deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(deserialize_with = "present")]
    channel: Option<Value>,
    #[serde(deserialize_with = "present")]
    channels: Option<Value>,
    #[serde(deserialize_with = "present")]
    permissions: Option<Value>,
    #[serde(deserialize_with = "present")]
    info: Option<Value>,
}

impl Claims {
    /// Reads the JSON of claims.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        object(json)
            .ok_or_else(|| invalid("its claims are not a JSON object, or one is there twice"))
    }

    /// The channel that the token is for; `None` for one of a connection.
    pub fn channel(&self) -> Result<Option<ChannelName>, Refusal> {
        let wrong = || invalid("its channel is not a channel name");
        let parse = |name: &Value| ChannelName::parse(name.as_str()?).ok();
        let read = |name: &Value| parse(name).ok_or_else(wrong);
        self.channel.as_ref().map(read).transpose()
    }

    /// Refuses claims that would be refused whatever the time and the configuration.
    pub fn sound(&self) -> Result<(), Refusal> {
        let user = self.user()?;
        match self.channel()? {
            Some(channel) => {
                self.channel_grant(&channel, user.as_ref(), Duration::ZERO).map(|_| ())
            }
            None => self.identity(Duration::ZERO).map(|_| ()),
        }
    }

    /// Refuses a token that is not made for what `source` is configured for.
    pub fn meant_for(&self, source: &TokenSource) -> Result<(), Refusal> {
        if let Some(issuer) = &source.issuer
            && self.iss.as_ref().and_then(Value::as_str) != Some(issuer)
        {
            return Err(invalid("its issuer (iss) is not the configured one"));
        }
        let audiences = texts(self.aud.as_ref(), "aud")?;
        match (&audiences[..], &source.audience[..]) {
            ([], []) => Ok(()),
            ([], _) => Err(invalid("it has no audience (aud), and one is configured")),
            (_, []) => Err(invalid("it is for an audience (aud), and none is configured")),
            (theirs, ours) if ours.iter().any(|our| theirs.contains(&our.as_str())) => Ok(()),
            _ => Err(invalid("its audience (aud) is not a configured one")),
        }
    }

    /// Refuses a token before and after its time.
    pub fn timely(&self, now: UnixMillis, leeway: Duration) -> Result<(), Refusal> {
        let leeway = millis(leeway);
        if let Some(begin) = time(self.nbf.as_ref(), "nbf")?
            && begin > now.plus_ms(leeway)
        {
            return Err(Code::TokenEarly.into());
        }
        match time(self.exp.as_ref(), "exp")? {
            Some(end) if end.plus_ms(leeway) <= now => Err(Code::TokenExpired.into()),
            _ => Ok(()),
        }
    }

    /// When the token ends, by its own words.
    pub fn expires(&self) -> Result<Option<UnixMillis>, Refusal> {
        time(self.exp.as_ref(), "exp")
    }

    /// The user.
    pub fn user(&self) -> Result<Option<UserId>, Refusal> {
        let wrong = || invalid("its sub is not a text of 1 to 255 bytes");
        let read = |sub: &Value| sub.as_str().and_then(UserId::parse).ok_or_else(wrong);
        self.sub.as_ref().map(read).transpose()
    }

    /// What the token says about a connection. `expires` has the leeway in it: it is the time
    /// at which the server acts.
    pub fn identity(&self, leeway: Duration) -> Result<Identity, Refusal> {
        if self.channel.is_some() {
            let detail = "it is a token for a channel, not for a connection";
            return Err(Refusal::because(Code::TokenMismatch, detail));
        }
        Ok(Identity {
            user: self.user()?,
            expires: self.ends(leeway)?,
            channels: self.channels()?,
            permissions: self.permissions()?,
            info: self.info()?,
        })
    }

    /// What the token says about `channel`, for a connection that acts for `user`.
    pub fn channel_grant(
        &self,
        channel: &ChannelName,
        user: Option<&UserId>,
        leeway: Duration,
    ) -> Result<ChannelGrant, Refusal> {
        let mismatch = |detail: &str| Refusal::because(Code::TokenMismatch, detail);
        let named = self.channel.as_ref().ok_or_else(|| mismatch("it names no channel"))?;
        if named.as_str() != Some(channel.as_str()) {
            return Err(mismatch("it is for another channel"));
        }
        let bearer = self.user()?;
        if bearer.is_some() && bearer.as_ref() != user {
            return Err(mismatch("it is for another user"));
        }
        let verbs = match &self.permissions {
            None => Verbs::READ,
            Some(words) => verbs(words)?,
        };
        Ok(ChannelGrant { channel: channel.clone(), verbs, expires: self.ends(leeway)? })
    }

    fn ends(&self, leeway: Duration) -> Result<Option<UnixMillis>, Refusal> {
        Ok(self.expires()?.map(|end| end.plus_ms(millis(leeway))))
    }

    fn channels(&self) -> Result<Vec<ChannelName>, Refusal> {
        let wrong = || invalid("its channels are not a list of channel names");
        let Some(list) = &self.channels else { return Ok(Vec::new()) };
        let list = list.as_array().ok_or_else(wrong)?;
        if list.len() > Identity::CHANNELS_MAX {
            let most = Identity::CHANNELS_MAX;
            return Err(invalid(format!("it names more than {most} channels")));
        }
        let mut channels = Vec::with_capacity(list.len());
        for name in list {
            let name = name.as_str().and_then(|text| ChannelName::parse(text).ok());
            let name = name.ok_or_else(wrong)?;
            if !channels.contains(&name) {
                channels.push(name);
            }
        }
        Ok(channels)
    }

    fn permissions(&self) -> Result<Permissions, Refusal> {
        let Some(rules) = &self.permissions else { return Ok(Permissions::default()) };
        let wrong = || invalid("its permissions are not an object of channels and lists of verbs");
        let rules: &Map<String, Value> = rules.as_object().ok_or_else(wrong)?;
        let rule = |(pattern, words): (&String, &Value)| {
            let pattern = Pattern::parse(pattern)
                .map_err(|error| invalid(format!("in its permissions, {error}")))?;
            Ok((pattern, verbs(words)?))
        };
        let rules = rules.iter().map(rule).collect::<Result<Vec<_>, Refusal>>()?;
        Permissions::new(rules).map_err(|error| invalid(error.to_string()))
    }

    fn info(&self) -> Result<Option<Bytes>, Refusal> {
        let Some(info) = &self.info else { return Ok(None) };
        let text = info.to_string();
        if text.len() > Identity::INFO_BYTES_MAX {
            let most = Identity::INFO_BYTES_MAX;
            return Err(invalid(format!("its info is longer than {most} bytes")));
        }
        Ok(Some(Bytes::from(text)))
    }
}

/// A claim that is there, `null` or not.
fn present<'de, D: serde::Deserializer<'de>>(claim: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(claim).map(Some)
}

/// A list of verbs.
fn verbs(words: &Value) -> Result<Verbs, Refusal> {
    let wrong = || {
        invalid(
            "its permissions have something that is not a list of subscribe, publish, history and presence",
        )
    };
    let list = words.as_array().ok_or_else(wrong)?;
    list.iter().map(|word| word.as_str().and_then(Verb::parse).ok_or_else(wrong)).collect()
}

/// A time in seconds since 1970, whole or not.
fn time(value: Option<&Value>, name: &str) -> Result<Option<UnixMillis>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let seconds = value.as_f64().ok_or_else(|| invalid(format!("its {name} is not a number")))?;
    if seconds < 0.0 {
        return Err(invalid(format!("its {name} is before 1970")));
    }
    if seconds > TIME_MAX {
        let detail = format!("its {name} is after the year 9999; it is in seconds");
        return Err(invalid(detail));
    }
    Ok(Some(UnixMillis((seconds * 1_000.0) as u64)))
}

/// A text, or a list of texts.
fn texts<'a>(value: Option<&'a Value>, name: &str) -> Result<Vec<&'a str>, Refusal> {
    let wrong = || invalid(format!("its {name} is neither a text nor a list of texts"));
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(list)) => list.iter().map(|v| v.as_str().ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
