//! Who may use the backend API: whoever presents a key with the right scope.

use http::{HeaderMap, header};

use martlet_core::model::{Code, Refusal};

use super::answer::Refused;
use crate::doors::Site;
use crate::keys::Scope;

/// Lets a request in, or says why not.
pub fn admit(site: &Site, headers: &HeaderMap, scope: Scope) -> Result<(), Refused> {
    site.keys.admit(key(headers), scope)?;
    Ok(())
}

/// How large a body may be, and what to say of a larger one. A batch is many publications, but
/// strangers have nothing to say that is longer than a frame: what they send is not held before
/// it is known who they are.
pub fn room(site: &Site, headers: &HeaderMap) -> (usize, Refusal) {
    let limits = &site.limits;
    match site.keys.knows(key(headers)) {
        Ok(()) => {
            let most = limits.frame_bytes.max(limits.data_bytes).saturating_mul(16);
            (most, too_large(most))
        }
        Err(refusal) => (limits.frame_bytes, refusal),
    }
}

/// A body that is larger than the limit.
pub fn too_large(limit: usize) -> Refusal {
    Refusal::because(Code::FrameTooLarge, format!("more than {limit} bytes"))
}

/// The key of `Authorization: Bearer KEY` or `X-API-Key: KEY`.
fn key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|text| text.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let plain = || headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer.map(|(_, key)| key.trim()).or_else(plain)
}
