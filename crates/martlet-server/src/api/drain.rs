//! The drain of this node: to begin it, and how far it is.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use http::HeaderMap;
use martlet_core::model::{Code, Refusal};
use serde::{Deserialize, Serialize};

use super::answer::{Outcome, json_of};
use super::door::admit;
use crate::config::parse_duration;
use crate::doors::Site;
use crate::drain::{Plan, Stage, reached};
use crate::keys::Scope;
use crate::mail::Mail;

/// The longest that a drain may be asked to wait or take.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How long the beginning is waited for.
const BEGINS: Duration = Duration::from_secs(1);

/// What may be asked to be other than is configured. Times as the configuration has them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    wait: Option<String>,
    over: Option<String>,
    force: Option<String>,
}

#[derive(Serialize)]
struct Progress {
    stage: &'static str,
    /// How many clients were connected when it began.
    began_with: usize,
    /// How many are.
    connections: usize,
    /// How many were told to go.
    let_go: u64,
}

/// `POST /v1/drain`: begins it, unless it has begun.
pub async fn begin(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Outcome {
    admit(&site, &headers, Scope::All)?;
    let asked = match body.is_empty() {
        true => Asked::default(),
        false => serde_json::from_slice(&body)
            .map_err(|error| Refusal::because(Code::Malformed, error.to_string()))?,
    };
    let configured = site.plan;
    let force = time("force", asked.force, configured.force)?;
    site.drain.ask(Plan {
        wait: time("wait", asked.wait, configured.wait)?,
        over: time("over", asked.over, configured.over)?,
        elsewhere: configured.elsewhere,
        ..Plan::at_once(force)
    });
    // Whoever asked sees it begun, unless the node is busy with something else.
    let begun = reached(site.drain.stages(), Stage::Waiting);
    let _ = tokio::time::timeout(BEGINS, begun).await;
    progress(&site).await
}

/// `GET /v1/drain`: how far it is.
pub async fn show(State(site): State<Arc<Site>>, headers: HeaderMap) -> Outcome {
    admit(&site, &headers, Scope::Read)?;
    progress(&site).await
}

async fn progress(site: &Site) -> Outcome {
    let stats = site.mailboxes.ask_all(Mail::Stats).await?;
    json_of(&Progress {
        stage: site.drain.stage().name(),
        began_with: site.drain.began_with(),
        connections: stats.iter().map(|stats| stats.attached).sum(),
        let_go: stats.iter().map(|stats| stats.counters.let_go).sum(),
    })
}

fn time(name: &str, asked: Option<String>, configured: Duration) -> Result<Duration, Refusal> {
    let Some(text) = asked else { return Ok(configured) };
    let time = parse_duration(&text).filter(|time| *time <= LONGEST);
    let detail = || format!("{name} is a time such as \"30s\" or \"5m\", of a day at most");
    time.ok_or_else(|| Refusal::because(Code::Malformed, detail()))
}
