//! The drain of a node: how it is asked for, and how far it is.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Api;
use crate::error::Error;

/// How a node is to let its clients go; what is not given is as the node is configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DrainPlan {
    /// How long it says that it is not ready before it lets the first go.
    pub wait: Option<Duration>,
    /// Over which time it lets them go.
    pub over: Option<Duration>,
    /// How long the last then get.
    pub force: Option<Duration>,
}

/// How far a node's drain is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DrainProgress {
    /// `serving`, `waiting`, `letting_go` or `ending`.
    pub stage: String,
    /// How many clients were connected when it began.
    pub began_with: usize,
    /// How many are.
    pub connections: usize,
    /// How many were told to go.
    pub let_go: u64,
}

/// The plan on the wire.
#[derive(Serialize)]
struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    force: Option<String>,
}

impl Api {
    /// Asks the node that answers to let its clients go and to stop. If it has begun already,
    /// the first plan holds.
    pub async fn drain(&self, plan: DrainPlan) -> Result<DrainProgress, Error> {
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let asked = Asked {
            wait: plan.wait.map(millis),
            over: plan.over.map(millis),
            force: plan.force.map(millis),
        };
        let body = serde_json::to_vec(&asked).map_err(|error| Error::Data(error.to_string()))?;
        progress(&self.post("/v1/drain", body.into()).await?)
    }

    /// How far the drain of the node that answers is.
    pub async fn drain_progress(&self) -> Result<DrainProgress, Error> {
        progress(&self.get("/v1/drain").await?)
    }
}

fn progress(answer: &Bytes) -> Result<DrainProgress, Error> {
    serde_json::from_slice(answer).map_err(|error| Error::Foreign(error.to_string()))
}
