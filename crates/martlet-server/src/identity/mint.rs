//! Making tokens: for the command line, tests and trying out. An application makes its own.

use std::fmt;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value};

use super::key::Algorithm;

/// Why a token could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The key is none that we can sign with.
    #[error("this is not a private key in PEM (PKCS#8; RSA, EC P-256 or Ed25519)")]
    Key,
    /// The library refused.
    #[error("the token could not be signed: {0}")]
    Signing(String),
}

/// A key that makes tokens.
#[derive(Clone)]
pub struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.algorithm)
    }
}

impl Signer {
    /// Signs with HS256 by a secret.
    pub fn secret(secret: &str) -> Self {
        let key = EncodingKey::from_secret(secret.as_bytes());
        Self { algorithm: Algorithm::HS256, key }
    }

    /// Signs by a private key in PEM; its kind decides the algorithm.
    pub fn private_pem(pem: &str) -> Result<Self, MintError> {
        let bytes = pem.as_bytes();
        let (algorithm, key) = None
            .or_else(|| Some((Algorithm::EdDSA, EncodingKey::from_ed_pem(bytes).ok()?)))
            .or_else(|| Some((Algorithm::ES256, EncodingKey::from_ec_pem(bytes).ok()?)))
            .or_else(|| Some((Algorithm::RS256, EncodingKey::from_rsa_pem(bytes).ok()?)))
            .ok_or(MintError::Key)?;
        Ok(Self { algorithm, key })
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Makes a token that says `claims`, and names the key `key_id` if there is one.
    pub fn sign(
        &self,
        claims: &Map<String, Value>,
        key_id: Option<&str>,
    ) -> Result<String, MintError> {
        let mut header = Header::new(self.algorithm.library());
        header.kid = key_id.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key)
            .map_err(|error| MintError::Signing(error.to_string()))
    }
}
