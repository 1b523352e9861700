//! Keys of the backend API: made at random, kept as hashes, compared in constant time.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use martlet_core::model::{Code, Refusal};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

#[cfg(test)]
mod tests;

/// What begins every key that we make, so that people and scanners recognise one.
const KEY_PREFIX: &str = "mk_";

/// The longest key that is looked at, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// What a key of the backend API is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Publish, broadcast and batch.
    Publish,
    /// Read histories, presence and the list of channels.
    Read,
    /// Subscribe, unsubscribe and disconnect sessions.
    Sessions,
    /// All of it.
    All,
}

impl Scope {
    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Sessions => "sessions",
            Self::All => "all",
        }
    }
}

/// The SHA-256 of a key. A key has 256 random bits, so it needs no salt and no slow hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of `key`.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({:02x}…)", self.0[0])
    }
}

/// One key: what it is called, its hash, and what it is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name in the log.
    pub name: String,
    /// The hash of the key.
    pub hash: KeyHash,
    /// What it is good for.
    pub scopes: Vec<Scope>,
}

impl ApiKey {
    fn permits(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|mine| *mine == Scope::All || *mine == scope)
    }
}

/// All keys of the backend API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeys {
    /// None is needed: development mode.
    Open,
    /// One of these is needed.
    Keys(Vec<ApiKey>),
}

impl ApiKeys {
    /// Whether `presented` permits `scope`; answers the key's name, for the log.
    pub fn admit(&self, presented: Option<&str>, scope: Scope) -> Result<&str, Refusal> {
        let Some(key) = self.find(presented)? else { return Ok("") };
        if !key.permits(scope) {
            let detail = format!("the key {} lacks the scope {}", key.name, scope.name());
            return Err(Refusal::because(Code::KeyNotAllowed, detail));
        }
        Ok(&key.name)
    }

    /// Whether `presented` is one of the keys, whatever it permits.
    pub fn knows(&self, presented: Option<&str>) -> Result<(), Refusal> {
        self.find(presented).map(|_| ())
    }

    /// The key that was presented; `None` where none is needed. A wrong key tells nothing by the
    /// time it takes: every key is compared, and in constant time.
    fn find(&self, presented: Option<&str>) -> Result<Option<&ApiKey>, Refusal> {
        let Self::Keys(keys) = self else { return Ok(None) };
        let presented = presented.ok_or(Code::KeyInvalid)?;
        if presented.len() > KEY_BYTES_MAX {
            return Err(Code::KeyInvalid.into());
        }
        let hash = KeyHash::of(presented);
        let found = keys.iter().fold(None, |found, key| {
            let same = bool::from(key.hash.0.ct_eq(&hash.0));
            if same { Some(key) } else { found }
        });
        found.map(Some).ok_or_else(|| Code::KeyInvalid.into())
    }
}

/// Makes a new key of 256 random bits.
pub fn new_key() -> Result<String, getrandom::Error> {
    Ok(format!("{KEY_PREFIX}{}", new_secret()?))
}

/// Makes a new secret of 256 random bits, as 43 characters.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
