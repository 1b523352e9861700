//! The outer form of a token: three parts, a header, and claims that nobody believes yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use martlet_core::model::{Code, Refusal};
use serde::Deserialize;

use super::claims::Claims;
use super::key::Algorithm;

/// The longest token, in bytes. Browsers send it in headers, which are not longer either.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A token taken apart, not yet believed.
#[derive(Debug)]
pub struct Opened<'a> {
    /// The algorithm that the header names. It never chooses how to check, only which keys may
    /// fit.
    pub algorithm: Algorithm,
    /// The name of the key (`kid`).
    pub key_id: Option<String>,
    pub(super) message: &'a str,
    pub(super) signature: &'a str,
    payload: &'a str,
}

/// What we look at in the header. Addresses of keys in it (`jku`, `x5u`) and keys (`jwk`) are
/// for believers.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

/// Takes a token apart.
pub fn open(token: &str) -> Result<Opened<'_>, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid(format!("it is longer than {TOKEN_BYTES_MAX} bytes")));
    }
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(invalid("it does not have three parts"));
    };
    let message = &token[..header.len() + 1 + payload.len()];
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header: Header =
        header.as_deref().and_then(object).ok_or_else(|| invalid("its header cannot be read"))?;
    if header.crit.is_some() {
        return Err(invalid("its header has crit, which is not understood"));
    }
    let algorithm = Algorithm::parse(&header.alg)
        .ok_or_else(|| invalid("its algorithm is not HS256, RS256, ES256 or EdDSA"))?;
    Ok(Opened { algorithm, key_id: header.kid, message, signature, payload })
}

impl Opened<'_> {
    /// What the token says. Believe it only after its signature was checked.
    pub fn claims(&self) -> Result<Claims, Refusal> {
        let json = URL_SAFE_NO_PAD
            .decode(self.payload)
            .map_err(|_| invalid("its claims are not base64"))?;
        Claims::parse(&json)
    }
}

/// Reads a JSON object. The library would take an array for a struct, field by field.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let begins = json.trim_ascii_start().first() == Some(&b'{');
    begins.then(|| serde_json::from_slice(json).ok()).flatten()
}

/// A token that is not valid, and why.
pub(super) fn invalid(detail: impl Into<Box<str>>) -> Refusal {
    Refusal::because(Code::TokenInvalid, detail)
}
