//! Who may use the backend API: whoever presents a key with the right scope.

use http::{HeaderMap, header};

use super::answer::Refused;
use crate::doors::Site;
use crate::keys::Scope;

/// Lets a request in, or says why not.
pub fn admit(site: &Site, headers: &HeaderMap, scope: Scope) -> Result<(), Refused> {
    site.keys.admit(key(headers), scope)?;
    Ok(())
}

/// The key of `Authorization: Bearer KEY` or `X-API-Key: KEY`.
fn key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|text| text.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let plain = || headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer.map(|(_, key)| key.trim()).or_else(plain)
}
