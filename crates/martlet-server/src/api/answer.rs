//! Answers of the API: JSON, and refusals with their status.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use http::{HeaderValue, Response, StatusCode, header};
use martlet_core::model::{Code, Refusal};
use martlet_core::session::{Answer, Event, Reply};
use martlet_protocol::native::json;
use serde::Serialize;

use crate::mail::Stopping;

/// A request that was not done.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self(code.into())
    }
}

impl From<Stopping> for Refused {
    fn from(_: Stopping) -> Self {
        Self(Code::Shutdown.into())
    }
}

impl From<martlet_protocol::Refused> for Refused {
    fn from(refused: martlet_protocol::Refused) -> Self {
        Self(refused.refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        refused(&self.0)
    }
}

/// What a handler gives.
pub type Outcome = Result<Response<Body>, Refused>;

#[derive(Serialize)]
struct Error<'a> {
    code: u16,
    name: &'a str,
    message: String,
    hint: &'a str,
    temporary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

/// The JSON that tells of a refusal.
pub fn refusal_json(refusal: &Refusal) -> Vec<u8> {
    let error = Error {
        code: refusal.code.number(),
        name: refusal.code.name(),
        message: refusal.message(),
        hint: refusal.code.hint(),
        temporary: refusal.code.temporary(),
        after: refusal.after.map(|after| after.as_nanos().div_ceil(1_000_000) as u64),
    };
    serde_json::to_vec(&error).expect("numbers and texts are JSON")
}

/// A time as `Retry-After` has it: whoever waits so long has waited long enough.
pub fn whole_seconds(time: Duration) -> HeaderValue {
    HeaderValue::from(time.as_secs_f64().ceil().max(1.0) as u64)
}

/// A whole answer that tells of a refusal.
pub fn refused(refusal: &Refusal) -> Response<Body> {
    let mut response = json_bytes(refusal_json(refusal));
    let status = StatusCode::from_u16(refusal.code.http_status());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(after) = refusal.after {
        response.headers_mut().insert(header::RETRY_AFTER, whole_seconds(after));
    }
    if refusal.code == Code::TokenMissing || refusal.code == Code::KeyInvalid {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

/// An answer of JSON that is there already.
pub fn json_bytes(json: Vec<u8>) -> Response<Body> {
    let mut response = super::text("application/json", json);
    let caching = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, caching);
    response
}

/// An answer of anything that is JSON.
pub fn json_of(value: &impl Serialize) -> Outcome {
    let json = serde_json::to_vec(value).map_err(|_| Code::Internal)?;
    Ok(json_bytes(json))
}

/// The object of an event as the native protocol writes it, without the word around it:
/// `{"history":{…}}` becomes `{…}`. So both interfaces show the same things in the same words.
pub fn object_of(event: Event) -> Outcome {
    let mut json = Vec::new();
    json::encode_answer(&Answer { id: 0, event }, &mut json);
    let begin = json.iter().position(|byte| *byte == b':').ok_or(Code::Internal)? + 1;
    json.pop();
    Ok(json_bytes(json.split_off(begin)))
}

/// Reads a reply that should have been another.
pub fn unexpected(reply: Reply) -> Refused {
    match reply {
        Reply::Refused(refusal) => Refused(refusal),
        other => {
            tracing::error!(?other, "a shard gave the wrong kind of reply");
            Code::Internal.into()
        }
    }
}
