//! The way up for one-way transports: `POST /v1/send?session=KEY` with a frame as its body. The
//! answers come down. With `leave=true` the client goes for good after it: closing a stream or
//! polling no more says only that the connection is gone.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use http::{Response, StatusCode};
use martlet_core::model::{Code, SessionKey};

use super::answer::Outcome;
use crate::doors::Site;

/// `POST /v1/send`
pub async fn send(
    State(site): State<Arc<Site>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Outcome {
    if body.len() > site.limits.frame_bytes {
        return Err(Code::FrameTooLarge.into());
    }
    let query = query.unwrap_or_default();
    let key = query.split('&').find_map(|pair| pair.strip_prefix("session="));
    let key = key.and_then(SessionKey::parse).ok_or(Code::UnknownSession)?;
    let leaves = query.split('&').any(|pair| pair == "leave=true");
    // Nothing at all would be a sign of life, which nobody gives who goes.
    if !leaves || !body.is_empty() {
        site.reach.frame(key, body).await?;
    }
    if leaves {
        // A session that is no more has been left already.
        site.reach.leave(key);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
