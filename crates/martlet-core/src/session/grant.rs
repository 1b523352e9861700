//! The grant: proof, signed by the cluster, of who a client is and what it was admitted to. With
//! it a client comes back to any node without anybody asking the application again.
//!
//! Text form: `g1.BODY.MAC`, both base64url; the body is a compact binary record. Only nodes read
//! it, so the record may change with the version digit.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::{ChannelGrant, Identity, Pattern, Permissions, Verbs};
use crate::model::{ChannelName, ClientId, UnixMillis, UserId};

mod record;
#[cfg(test)]
mod tests;

use record::{Reader, Writer};

/// The longest grant text that is looked at, in bytes.
const GRANT_BYTES_MAX: usize = 48 * 1024;

/// What a grant says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The client.
    pub client: ClientId,
    /// When it was made. Grants made before a user was disconnected are refused.
    pub issued: UnixMillis,
    /// Until when it is good.
    pub expires: UnixMillis,
    /// What the client's token said.
    pub identity: Identity,
    /// What its tokens for channels said.
    pub channels: Vec<ChannelGrant>,
}

/// Why a grant is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It was not signed with this key, or is not a grant at all.
    #[error("not a grant of this cluster")]
    Invalid,
    /// Its time is over.
    #[error("the grant has expired")]
    Expired,
}

/// The key that all nodes of a cluster share.
#[derive(Clone)]
pub struct GrantKey(Hmac<Sha256>);

impl std::fmt::Debug for GrantKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GrantKey")
    }
}

impl GrantKey {
    /// A key of any number of secret bytes; 32 random ones are right.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// Writes and signs a grant.
    pub fn sign(&self, grant: &Grant) -> Box<str> {
        let body = URL_SAFE_NO_PAD.encode(write(grant));
        let mac = self.0.clone().chain_update(&body).finalize().into_bytes();
        format!("g1.{body}.{}", URL_SAFE_NO_PAD.encode(mac)).into()
    }

    /// Checks and reads a grant. The signature is compared in constant time.
    pub fn verify(&self, now: UnixMillis, text: &str) -> Result<Grant, GrantError> {
        if text.len() > GRANT_BYTES_MAX {
            return Err(GrantError::Invalid);
        }
        let (body, mac) =
            text.strip_prefix("g1.").and_then(|t| t.split_once('.')).ok_or(GrantError::Invalid)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| GrantError::Invalid)?;
        let check = self.0.clone().chain_update(body);
        check.verify_slice(&mac).map_err(|_| GrantError::Invalid)?;
        let record = URL_SAFE_NO_PAD.decode(body).map_err(|_| GrantError::Invalid)?;
        let grant = read(&record).ok_or(GrantError::Invalid)?;
        if now < grant.expires { Ok(grant) } else { Err(GrantError::Expired) }
    }
}

fn write(grant: &Grant) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(grant.client.bits());
    out.number(grant.issued.0);
    out.number(grant.expires.0);
    let identity = &grant.identity;
    out.option(identity.user.as_ref().map(|user| user.as_str().as_bytes()));
    out.option_number(identity.expires.map(|time| time.0));
    out.list(&identity.channels, |out, channel| out.text(channel.as_str().as_bytes()));
    out.list(identity.permissions.rules(), |out, (pattern, verbs)| {
        out.text(pattern.to_string().as_bytes());
        out.number(verbs.bits().into());
        out.number(matches!(pattern, Pattern::Prefix(_)).into());
    });
    out.option(identity.info.as_deref());
    out.list(&grant.channels, |out, grant| {
        out.text(grant.channel.as_str().as_bytes());
        out.number(grant.verbs.bits().into());
        out.option_number(grant.expires.map(|time| time.0));
    });
    out.into_bytes()
}

fn read(record: &[u8]) -> Option<Grant> {
    let mut from = Reader::new(record);
    let client = ClientId::new(from.number()?);
    let issued = UnixMillis(from.number()?);
    let expires = UnixMillis(from.number()?);
    let user = from.option()?.map(|text| UserId::parse(std::str::from_utf8(text).ok()?));
    let user = match user {
        None => None,
        Some(user) => Some(user?),
    };
    let identity = Identity {
        user,
        expires: from.option_number()?.map(UnixMillis),
        channels: from.list(read_channel)?,
        permissions: Permissions::new(from.list(read_rule)?).ok()?,
        info: from.option()?.map(Bytes::copy_from_slice),
    };
    let channels = from.list(|from| {
        Some(ChannelGrant {
            channel: read_channel(from)?,
            verbs: Verbs::from_bits(from.number()?.try_into().ok()?)?,
            expires: from.option_number()?.map(UnixMillis),
        })
    })?;
    from.is_empty().then_some(Grant { client, issued, expires, identity, channels })
}

fn read_channel(from: &mut Reader<'_>) -> Option<ChannelName> {
    ChannelName::parse(std::str::from_utf8(from.text()?).ok()?).ok()
}

fn read_rule(from: &mut Reader<'_>) -> Option<(Pattern, Verbs)> {
    let text = std::str::from_utf8(from.text()?).ok()?;
    let verbs = Verbs::from_bits(from.number()?.try_into().ok()?)?;
    let pattern = match from.number()? {
        0 => Pattern::Exact(ChannelName::parse(text).ok()?),
        _ => Pattern::parse(text).ok()?,
    };
    Some((pattern, verbs))
}
