//! The HTTP API: what backends ask, the way up for one-way streams, health, metrics and the page.
//! `docs/reference/plain.md` and `openapi.json` describe it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};
use http::{HeaderValue, Response, StatusCode, header};
use martlet_core::model::{Code, Refusal};

use crate::doors::Site;

mod answer;
mod channels;
mod door;
mod drain;
mod metrics;
mod nodes;
mod operations;
mod page;
mod publish;
mod sessions;
#[cfg(test)]
mod tests;
mod uplink;

pub use answer::{refusal_json, refused, whole_seconds};
pub use door::{room, too_large};

/// The most operations of one batch or broadcast.
const BATCH_MAX: usize = 1_000;

/// Every address of the API, and what answers there. The streams' are not among them: they are
/// answered before the API is asked.
fn routes() -> Vec<(&'static str, MethodRouter<Arc<Site>>)> {
    vec![
        ("/", get(page::index)),
        ("/app.js", get(page::script)),
        ("/style.css", get(page::style)),
        ("/health", get(operations::health)),
        ("/ready", get(operations::ready)),
        ("/metrics", get(operations::metrics)),
        ("/v1/openapi.json", get(operations::openapi)),
        ("/v1/publish", post(publish::publish)),
        ("/v1/broadcast", post(publish::broadcast)),
        ("/v1/batch", post(publish::batch)),
        ("/v1/nodes", get(nodes::list)),
        ("/v1/drain", get(drain::show).post(drain::begin)),
        ("/v1/channels", get(channels::list)),
        ("/v1/channels/{channel}/history", get(channels::history)),
        ("/v1/channels/{channel}/presence", get(channels::presence)),
        ("/v1/subscribe", post(sessions::subscribe)),
        ("/v1/unsubscribe", post(sessions::unsubscribe)),
        ("/v1/disconnect", post(sessions::disconnect)),
        ("/v1/send", post(uplink::send)),
    ]
}

/// What answers the API's requests.
pub fn router(site: Arc<Site>) -> Router {
    let routes = routes().into_iter();
    routes
        .fold(Router::new(), |router, (path, method)| router.route(path, method))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        // The doors have limited it already.
        .layer(DefaultBodyLimit::disable())
        .with_state(site)
}

async fn nothing_here() -> Response<Body> {
    refused(&Code::NotFound.into())
}

async fn wrong_method() -> Response<Body> {
    refused(&Refusal::from(Code::MethodNotAllowed))
}

/// A whole answer of some type of text.
fn text(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
