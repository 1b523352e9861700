//! Keys that check tokens. A key has one algorithm, and checks nothing else.

use std::fmt;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};

/// The shortest modulus of an RSA key, in bytes: 2,048 bits.
const RSA_MODULUS_BYTES_MIN: usize = 256;

/// The longest modulus of an RSA key, in bytes: 8,192 bits. Longer ones are slow to check.
const RSA_MODULUS_BYTES_MAX: usize = 1_024;

/// The longest name of a key, in bytes.
const KEY_ID_BYTES_MAX: usize = 255;

/// How a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256, by a secret that both sides know.
    HS256,
    /// RSA with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 4] = [Self::HS256, Self::RS256, Self::ES256, Self::EdDSA];

    /// The name in the header of a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of a name; case counts, as RFC 7515 says.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The same for the library.
    pub(super) const fn library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::HS256 => jsonwebtoken::Algorithm::HS256,
            Self::RS256 => jsonwebtoken::Algorithm::RS256,
            Self::ES256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why something is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is a private key.
    #[error("this is a private key; tokens are checked with the public one, keep this one secret")]
    Private,
    /// It is nothing that we can read.
    #[error("this is not a public key in PEM (RSA, EC P-256 or Ed25519)")]
    Unreadable,
    /// It is an RSA key of a wrong size.
    #[error("an RSA key has 2,048 to 8,192 bits, this one has {0}")]
    RsaSize(usize),
    /// It is for another algorithm than the one that is asked for.
    #[error("this key is for {0}, not for {1}")]
    OtherAlgorithm(Algorithm, Algorithm),
    /// It is in a key set, but for something that we do not do.
    #[error("a key for something else")]
    Unsupported,
}

/// A key that checks tokens: its name, its one algorithm, and the bytes.
#[derive(Clone)]
pub struct Key {
    /// Its name (`kid`), if it has one.
    pub id: Option<String>,
    /// The only algorithm that it checks.
    pub algorithm: Algorithm,
    decoding: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {:?})", self.algorithm, self.id)
    }
}

impl Key {
    /// The key of a secret.
    pub fn secret(secret: &str) -> Result<Self, KeyError> {
        let decoding = DecodingKey::from_secret(secret.as_bytes());
        Ok(Self { id: None, algorithm: Algorithm::HS256, decoding })
    }

    /// Reads a public key in PEM; its kind decides the algorithm.
    pub fn public_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        let bytes = pem.as_bytes();
        let (algorithm, decoding) = None
            .or_else(|| Some((Algorithm::EdDSA, DecodingKey::from_ed_pem(bytes).ok()?)))
            .or_else(|| Some((Algorithm::ES256, DecodingKey::from_ec_pem(bytes).ok()?)))
            .or_else(|| Some((Algorithm::RS256, DecodingKey::from_rsa_pem(bytes).ok()?)))
            .ok_or(KeyError::Unreadable)?;
        let key = Self { id: None, algorithm, decoding };
        let jwk = Jwk::from_decoding_key(&key.decoding, Some(algorithm.library()));
        key.sound(&jwk.map_err(|_| KeyError::Unreadable)?)
    }

    /// Reads a key of a key set. Secrets are not taken from there: a key set is public.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(_) => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
            _ => return Err(KeyError::Unsupported),
        };
        let declared = jwk.common.key_algorithm;
        let agrees = declared.is_none_or(|it| it == KeyAlgorithm::from(algorithm.library()));
        let id = jwk.common.key_id.clone();
        let short = id.as_ref().is_none_or(|id| id.len() <= KEY_ID_BYTES_MAX);
        if !signs || !agrees || !short {
            return Err(KeyError::Unsupported);
        }
        let decoding = DecodingKey::from_jwk(jwk).map_err(|_| KeyError::Unreadable)?;
        Self { id, algorithm, decoding }.sound(jwk)
    }

    /// The key, if it is for `algorithm` or any will do.
    pub fn only(self, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        match algorithm {
            Some(wanted) if wanted != self.algorithm => {
                Err(KeyError::OtherAlgorithm(self.algorithm, wanted))
            }
            _ => Ok(self),
        }
    }

    /// The key under a name.
    pub fn named(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }

    /// Whether this key has made `signature` over `message`.
    pub(super) fn signed(&self, message: &str, signature: &str) -> bool {
        let algorithm = self.algorithm.library();
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, algorithm)
            .unwrap_or(false)
    }

    /// The key, if its size and curve are right.
    fn sound(self, jwk: &Jwk) -> Result<Self, KeyError> {
        match &jwk.algorithm {
            AlgorithmParameters::RSA(parameters) => {
                let bytes = unpadded_bytes(&parameters.n);
                match (RSA_MODULUS_BYTES_MIN..=RSA_MODULUS_BYTES_MAX).contains(&bytes) {
                    true => Ok(self),
                    false => Err(KeyError::RsaSize(bytes * 8)),
                }
            }
            AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P256 => Ok(self),
            AlgorithmParameters::OctetKeyPair(p) if p.curve == EllipticCurve::Ed25519 => Ok(self),
            _ => Err(KeyError::Unreadable),
        }
    }
}

/// How many bytes an unpadded base64 text stands for.
fn unpadded_bytes(text: &str) -> usize {
    text.len() * 3 / 4
}
