//! Keys of all kinds for the tests, and tokens made with them, right and forged.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Map, Value, json};

use crate::identity::{Algorithm, Key, Keys, Signer, TokenSource};

/// The secret of all HS256 tokens here.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A private key with its public one.
pub struct Pair {
    pub private_pem: String,
    pub public_pem: String,
    pub algorithm: Algorithm,
}

fn pair(pair: KeyPair, algorithm: Algorithm) -> Pair {
    Pair { private_pem: pair.serialize_pem(), public_pem: pair.public_key_pem(), algorithm }
}

pub static RSA: LazyLock<Pair> = LazyLock::new(|| {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    pair(key, Algorithm::RS256)
});
pub static EC: LazyLock<Pair> = LazyLock::new(|| {
    pair(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), Algorithm::ES256)
});
pub static ED: LazyLock<Pair> =
    LazyLock::new(|| pair(KeyPair::generate_for(&PKCS_ED25519).unwrap(), Algorithm::EdDSA));
pub static OTHER_ED: LazyLock<Pair> =
    LazyLock::new(|| pair(KeyPair::generate_for(&PKCS_ED25519).unwrap(), Algorithm::EdDSA));

impl Pair {
    pub fn signer(&self) -> Signer {
        Signer::private_pem(&self.private_pem).unwrap()
    }

    pub fn key(&self) -> Key {
        Key::public_pem(&self.public_pem).unwrap()
    }

    /// The public key as an element of a key set.
    pub fn jwk(&self, id: &str) -> Value {
        let bytes = self.public_pem.as_bytes();
        let key = match self.algorithm {
            Algorithm::RS256 => DecodingKey::from_rsa_pem(bytes),
            Algorithm::ES256 => DecodingKey::from_ec_pem(bytes),
            _ => DecodingKey::from_ed_pem(bytes),
        };
        let mut jwk =
            Jwk::from_decoding_key(&key.unwrap(), Some(self.algorithm.library())).unwrap();
        jwk.common.key_id = Some(id.into());
        serde_json::to_value(jwk).unwrap()
    }
}

/// A source of one key with nothing else asked for.
pub fn source(key: Key) -> TokenSource {
    TokenSource { keys: Keys::Fixed(key), algorithm: None, audience: vec![], issuer: None }
}

/// The source of [`SECRET`].
pub fn secret_source() -> TokenSource {
    source(Key::secret(SECRET).unwrap())
}

pub fn object(claims: Value) -> Map<String, Value> {
    claims.as_object().unwrap().clone()
}

/// A good HS256 token with `claims`.
pub fn token(claims: Value) -> String {
    Signer::secret(SECRET).sign(&object(claims), None).unwrap()
}

pub fn part(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

/// A token whose header and claims are these texts, signed with HS256 by `secret` whatever they
/// say.
pub fn forged(header: &str, claims: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(secret);
    let signed =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
    format!("{message}.{}", signed.unwrap())
}

/// The JSON of a key set.
pub fn key_set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}
