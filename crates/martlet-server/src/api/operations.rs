//! For operators: alive, ready, counted, described.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::Response;
use martlet_core::model::Code;

use super::answer::{Outcome, json_of, refused};
use super::metrics::{Whole, exposition};
use super::text;
use crate::doors::Site;
use crate::drain::Stage;
use crate::mail::Mail;
use crate::memory::overloaded;

/// The description of the API for machines.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

/// `GET /health`: the process lives and its workers answer.
pub async fn health(State(site): State<Arc<Site>>) -> Outcome {
    site.mailboxes.ask_all(Mail::Hello).await?;
    json_of(&serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

/// `GET /ready`: clients are welcome. Not while publications do not come through the engine or
/// memory is short, and no more once the node is stopping.
pub async fn ready(State(site): State<Arc<Site>>) -> Response<Body> {
    if site.drain.stage() != Stage::Serving {
        return refused(&Code::Shutdown.into());
    }
    if !site.reach.health().good() {
        return refused(&Code::EngineUnavailable.into());
    }
    if site.mailboxes.memory().refuses_newcomers() {
        return refused(&overloaded());
    }
    json_of(&serde_json::json!({"status": "ready"})).unwrap_or_else(|error| refused(&error.0))
}

/// `GET /metrics`: for Prometheus.
pub async fn metrics(State(site): State<Arc<Site>>) -> Outcome {
    let stats = site.mailboxes.ask_all(Mail::Stats).await?;
    let whole = Whole {
        nodes: site.reach.others().alive().len(),
        engine: site.reach.health().good(),
        draining: site.drain.stage() > Stage::Serving,
        memory: site.mailboxes.memory(),
    };
    let exposition = exposition(stats, whole).map_err(|_| Code::Internal)?;
    Ok(text("application/openmetrics-text; version=1.0.0; charset=utf-8", exposition))
}

/// `GET /v1/openapi.json`
pub async fn openapi() -> Response<Body> {
    text("application/json", OPENAPI)
}
