//! A JSON Web Key Set (RFC 7517): the keys in it that we can use.

use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;

use super::key::{Algorithm, Key};
use super::token::object;

/// The largest key set, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// The most keys in a set.
const KEYS_MAX: usize = 128;

/// Why something is not a key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is larger than [`KEY_SET_BYTES_MAX`].
    #[error("it is larger than {KEY_SET_BYTES_MAX} bytes")]
    Large,
    /// It is not the JSON of a key set.
    #[error("it is not a JSON Web Key Set")]
    Unreadable,
    /// It has more than [`KEYS_MAX`] keys.
    #[error("it has more than {KEYS_MAX} keys")]
    Many,
    /// None of its keys can check a token.
    #[error("it has no key for signatures by RS256, ES256 or EdDSA")]
    Empty,
}

/// The keys of a set.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a serde_json::value::RawValue>,
}

impl KeySet {
    /// Reads a set. Keys that we cannot use are passed over, as RFC 7517 asks for.
    pub fn parse(bytes: &[u8], only: Option<Algorithm>) -> Result<Self, KeySetError> {
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::Large);
        }
        let document: Document<'_> = object(bytes).ok_or(KeySetError::Unreadable)?;
        if document.keys.len() > KEYS_MAX {
            return Err(KeySetError::Many);
        }
        let read = |raw: &&serde_json::value::RawValue| {
            let jwk: Jwk = serde_json::from_str(raw.get()).ok()?;
            Key::from_jwk(&jwk).and_then(|key| key.only(only)).ok()
        };
        let keys: Vec<Key> = document.keys.iter().filter_map(read).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// A set of one key.
    pub fn one(key: Key) -> Self {
        Self(vec![key])
    }

    /// The keys that may have signed a token of `algorithm` that names the key `id`: those of
    /// that name, and those without any.
    pub fn candidates(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            let named = match (&key.id, id) {
                (Some(mine), Some(wanted)) => mine == wanted,
                _ => true,
            };
            named && key.algorithm == algorithm
        })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
