//! Counts of one worker, as plain numbers. Whoever shows them adds up those of all workers.

use martlet_core::hub::ShardStats;

use super::State;

/// What is counted as it happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that became sessions.
    pub opened: u64,
    /// Clients let in.
    pub connected: u64,
    /// Sessions closed by the server.
    pub closed: u64,
    /// Frames taken in.
    pub frames: u64,
    /// Calls that wrote to connections.
    pub writes: u64,
    /// Bytes written to connections.
    pub bytes_out: u64,
    /// Readers that fell behind the log.
    pub lagged: u64,
    /// Connections cut because they took no bytes.
    pub slow: u64,
    /// Clients let go because the node is to stop.
    pub let_go: u64,
    /// Clients that were told to come back later because too many came.
    pub put_off: u64,
}

/// How things are on one worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Counts since it began.
    pub counters: Counters,
    /// Counts of its shard.
    pub shard: ShardStats,
    /// Sessions it holds.
    pub sessions: usize,
    /// Sessions that a connection carries.
    pub attached: usize,
    /// Connections that have not yet said who they are.
    pub handshakes: usize,
    /// Bytes in its logs.
    pub log_bytes: usize,
}

impl State {
    pub(super) fn stats(&self) -> WorkerStats {
        WorkerStats {
            counters: self.counters,
            shard: self.shard.stats(),
            sessions: self.sessions.len(),
            attached: self.sessions.attached(),
            handshakes: self.sessions.handshakes(),
            log_bytes: self.lane.log_bytes(),
        }
    }
}
