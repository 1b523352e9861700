//! What a node says of itself to the others, and the API shows.

use serde::{Deserialize, Serialize};

use crate::worker::WorkerStats;

/// What a node says of itself. Nodes of other versions may say less or more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Its version.
    pub version: String,
    /// When it started, in Unix milliseconds of its own clock.
    pub started: u64,
    /// Where it listens.
    pub listen: Vec<String>,
    /// The address by which clients reach it and no other, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Box<str>>,
    /// Whether it lets its clients go, and takes in no new ones.
    pub draining: bool,
    /// How many worker threads it has.
    pub workers: usize,
    /// Sessions, with and without a connection.
    pub sessions: usize,
    /// Sessions that a connection carries.
    pub connections: usize,
    /// Channels that are followed or have members there.
    pub channels: usize,
    /// Publications that came in there since it started.
    pub publications: u64,
}

impl About {
    /// The same, with counts of all workers.
    pub fn counted(&self, stats: &[WorkerStats]) -> Self {
        Self {
            sessions: stats.iter().map(|stats| stats.sessions).sum(),
            connections: stats.iter().map(|stats| stats.attached).sum(),
            channels: stats.iter().map(|stats| stats.shard.channels).sum(),
            publications: stats.iter().map(|stats| stats.shard.published).sum(),
            ..self.clone()
        }
    }
}
