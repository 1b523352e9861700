//! The HTTP API: what backends ask, the way up for one-way streams, health, metrics and the page.
//! `docs/reference/plain.md` and `openapi.json` describe it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use http::{HeaderValue, Response, StatusCode, header};
use martlet_core::model::{Code, Refusal};

use crate::doors::Site;

mod answer;
mod channels;
mod door;
mod metrics;
mod operations;
mod page;
mod publish;
mod sessions;
mod uplink;

pub use answer::{refusal_json, refused};

/// The most operations of one batch or broadcast.
const BATCH_MAX: usize = 1_000;

/// The routes of the API.
pub fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(page::index))
        .route("/app.js", get(page::script))
        .route("/style.css", get(page::style))
        .route("/health", get(operations::health))
        .route("/ready", get(operations::ready))
        .route("/metrics", get(operations::metrics))
        .route("/v1/openapi.json", get(operations::openapi))
        .route("/v1/publish", post(publish::publish))
        .route("/v1/broadcast", post(publish::broadcast))
        .route("/v1/batch", post(publish::batch))
        .route("/v1/channels", get(channels::list))
        .route("/v1/channels/{channel}/history", get(channels::history))
        .route("/v1/channels/{channel}/presence", get(channels::presence))
        .route("/v1/subscribe", post(sessions::subscribe))
        .route("/v1/unsubscribe", post(sessions::unsubscribe))
        .route("/v1/disconnect", post(sessions::disconnect))
        .route("/v1/send", post(uplink::send))
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
