//! What says who somebody is: grants, tokens, sets of keys; and the configuration, which says who
//! is believed.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use martlet_core::model::{ChannelName, UnixMillis};
use martlet_core::session::GrantKey;
use martlet_server::config::Config;
use martlet_server::identity::{Claims, KeySet, open};
use sha2::Sha256;

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A grant as text, and the record of one whose signature is right: the reader behind the
/// signature has to stand on its own too.
pub fn grant(bytes: &[u8]) {
    let key = GrantKey::new(SECRET);
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(key.verify(NOW, text).is_err(), "nobody guesses a signature");
    }
    let body = URL_SAFE_NO_PAD.encode(bytes);
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("HMAC takes keys of any length");
    let mac = mac.chain_update(&body).finalize().into_bytes();
    let signed = format!("g1.{body}.{}", URL_SAFE_NO_PAD.encode(mac));
    if let Ok(grant) = key.verify(NOW, &signed) {
        let again = key.sign(&grant);
        assert_eq!(key.verify(NOW, &again), Ok(grant), "a grant is written as it was read");
    }
}

/// A token as text.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(opened) = open(text) else { return };
    if let Ok(claims) = opened.claims() {
        use_claims(&claims);
    }
}

/// The claims of a token, believed.
pub fn claims(bytes: &[u8]) {
    if let Ok(claims) = Claims::parse(bytes) {
        use_claims(&claims);
    }
}

fn use_claims(claims: &Claims) {
    let _ = (claims.sound(), claims.timely(NOW, Duration::from_secs(30)), claims.expires());
    let identity = claims.identity(Duration::from_secs(30));
    if let Ok(Some(channel)) = claims.channel() {
        assert!(identity.is_err(), "a token for a channel is none for a connection");
        let user = claims.user().unwrap_or_default();
        let _ = claims.channel_grant(&channel, user.as_ref(), Duration::ZERO);
        let other = ChannelName::parse("some:other:channel").expect("this is a channel's name");
        let grant = claims.channel_grant(&other, user.as_ref(), Duration::ZERO);
        assert!(grant.is_err() || channel == other, "a token is good for its own channel only");
    }
}

/// A set of keys.
pub fn key_set(bytes: &[u8]) {
    let _ = KeySet::parse(bytes, None);
}

/// A configuration. One that names files is not checked as a whole: that would open them.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = Config::parse(text, Path::new("martlet.toml")) else { return };
    if !["file", "certificate", "key"].iter().any(|word| text.contains(word)) {
        let _ = config.check();
    }
}
