//! Who a client is: checks the application's tokens (JWT) and says what they grant.
//!
//! A token is believed because a key of the configuration signed it, with the algorithm of that
//! key; nothing in the token chooses an algorithm, a file or an address. Then its times, its
//! audience and its issuer must be right. What it says is then the core's business.

use std::sync::Arc;
use std::time::Duration;

use martlet_core::model::{ChannelName, Code, Refusal, UnixMillis, UserId};
use martlet_core::session::{ChannelGrant, Identity};

mod claims;
mod key;
mod key_set;
mod mint;
mod remote;
mod source;
mod token;

#[cfg(test)]
mod tests;

pub use claims::Claims;
pub use key::{Algorithm, Key, KeyError};
pub use key_set::{KeySet, KeySetError};
pub use mint::{MintError, Signer};
pub(crate) use remote::is_host_and_port;
pub use remote::jwks_address;
pub use source::{Keys, TokenSource};
pub use token::{Opened, TOKEN_BYTES_MAX, open};

use source::Ring;

/// The most signatures that are checked for one token. A set of keys that all might fit would
/// otherwise make a forged token expensive.
const TRIES_MAX: usize = 8;

/// Checks tokens. One for the whole node; share it in an [`Arc`].
#[derive(Debug)]
pub struct Verifier {
    rings: Vec<Ring>,
    leeway: Duration,
}

impl Verifier {
    /// Makes a verifier of `sources`. Keys that have to be fetched are fetched by
    /// [`keep_fresh`](Self::keep_fresh), or when the first token needs them.
    pub fn new(sources: Vec<TokenSource>, leeway: Duration) -> Self {
        Self { rings: sources.into_iter().map(Ring::new).collect(), leeway }
    }

    /// A verifier that fetches at a pace of its own.
    #[cfg(test)]
    fn paced(sources: Vec<TokenSource>, pace: source::Pace) -> Self {
        let ring = |source| Ring::paced(source, pace);
        Self { rings: sources.into_iter().map(ring).collect(), leeway: Duration::ZERO }
    }

    /// Checks the token of a connection and says whose it is.
    pub async fn connection(&self, token: &str, now: UnixMillis) -> Result<Identity, Refusal> {
        self.claims(token, now).await?.identity(self.leeway)
    }

    /// Checks a token for `channel`, brought by a connection that acts for `user`.
    pub async fn channel(
        &self,
        token: &str,
        channel: &ChannelName,
        user: Option<&UserId>,
        now: UnixMillis,
    ) -> Result<ChannelGrant, Refusal> {
        self.claims(token, now).await?.channel_grant(channel, user, self.leeway)
    }

    /// Checks a token and gives what it says, as it says it.
    pub async fn claims(&self, token: &str, now: UnixMillis) -> Result<Claims, Refusal> {
        let opened = open(token)?;
        match self.verified(&opened) {
            Some(found) => return self.judged(found, now),
            None => self.fetch_for(&opened).await,
        }
        match self.verified(&opened) {
            Some(found) => self.judged(found, now),
            None => Err(self.unverified(&opened)),
        }
    }

    /// Keeps fetched keys young. Never returns; run it beside the server.
    pub async fn keep_fresh(self: Arc<Self>) {
        let rings = self.rings.iter().map(Ring::keep_fresh);
        futures_util::future::join_all(rings).await;
        std::future::pending().await
    }

    /// The claims of a token that some key has signed; an error when it did but the token is
    /// not for us. `None` when no key has signed it.
    fn verified(&self, opened: &Opened<'_>) -> Option<Result<Claims, Refusal>> {
        let (mut tries, mut refused) = (TRIES_MAX, None);
        for ring in &self.rings {
            if !ring.signed(opened, &mut tries) {
                continue;
            }
            match opened.claims().and_then(|claims| claims.meant_for(&ring.source).map(|()| claims))
            {
                Ok(claims) => return Some(Ok(claims)),
                Err(refusal) => refused = Some(Err(refusal)),
            }
        }
        refused
    }

    fn judged(&self, found: Result<Claims, Refusal>, now: UnixMillis) -> Result<Claims, Refusal> {
        let claims = found?;
        claims.timely(now, self.leeway)?;
        Ok(claims)
    }

    /// Fetches keys again where the one that the token names is not known.
    async fn fetch_for(&self, opened: &Opened<'_>) {
        for ring in &self.rings {
            ring.fetch_for(opened).await;
        }
    }

    /// Why no key has signed a token.
    fn unverified(&self, opened: &Opened<'_>) -> Refusal {
        let unknown = !self.rings.iter().any(|ring| ring.might_fit(opened));
        if unknown && self.rings.iter().any(Ring::stale) {
            return Code::KeysUnavailable.into();
        }
        let detail = match (self.rings.is_empty(), unknown) {
            (true, _) => "the server has no keys for tokens",
            (_, true) => "no key of this name and algorithm is known",
            (_, false) => "the signature is wrong",
        };
        Refusal::because(Code::TokenInvalid, detail)
    }
}
