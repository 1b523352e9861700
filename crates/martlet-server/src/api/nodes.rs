//! The nodes: which there are, and what each has.

use std::sync::Arc;

use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;

use super::answer::{Outcome, json_of};
use super::door::admit;
use crate::cluster::About;
use crate::doors::Site;
use crate::drain::Stage;
use crate::keys::Scope;
use crate::mail::Mail;

#[derive(Serialize)]
struct Listed {
    node: String,
    /// Whether it is the one that answers.
    this: bool,
    #[serde(flatten)]
    about: About,
}

#[derive(Serialize, Default)]
struct Total {
    nodes: usize,
    sessions: usize,
    connections: usize,
    publications: u64,
}

#[derive(Serialize)]
struct Nodes {
    nodes: Vec<Listed>,
    total: Total,
}

/// `GET /v1/nodes`: those that live, as they said within the last seconds.
pub async fn list(State(site): State<Arc<Site>>, headers: HeaderMap) -> Outcome {
    admit(&site, &headers, Scope::Read)?;
    let stats = site.mailboxes.ask_all(Mail::Stats).await?;
    let this = site.reach.others().node();
    let draining = site.drain.stage() > Stage::Serving;
    let about = About { draining, ..site.about.counted(&stats) };
    let mut nodes = vec![Listed { node: this.to_string(), this: true, about }];
    for alive in site.reach.others().alive().into_iter().filter(|alive| alive.node != this) {
        // A node of another version may say nothing that this one can read: it lives all the same.
        let about = serde_json::from_slice(&alive.about).unwrap_or_default();
        nodes.push(Listed { node: alive.node.to_string(), this: false, about });
    }
    nodes.sort_by(|a, b| a.node.cmp(&b.node));
    let total = nodes.iter().fold(Total::default(), |total, Listed { about, .. }| Total {
        nodes: total.nodes + 1,
        sessions: total.sessions + about.sessions,
        connections: total.connections + about.connections,
        publications: total.publications + about.publications,
    });
    json_of(&Nodes { nodes, total })
}
