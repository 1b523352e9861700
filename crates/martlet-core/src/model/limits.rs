//! The limit on everything that a client or a backend can make large. All are configurable, and
//! a refusal names the one that was met.

use std::time::Duration;

/// Limits of a node. The defaults are safe for strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest frame a client may send, in bytes, also after inflating.
    pub frame_bytes: usize,
    /// The most commands in one frame.
    pub commands_per_frame: usize,
    /// The largest data of one publication, in bytes.
    pub data_bytes: usize,
    /// The longest event name, `ref` and idempotency key, in bytes.
    pub name_bytes: usize,
    /// The most tags of one publication.
    pub tags: usize,
    /// The most channels one client may follow.
    pub channels_per_client: usize,
    /// The most channels a node keeps at once.
    pub channels_per_node: usize,
    /// The most publications one history request answers.
    pub history_page: usize,
    /// The most bytes of history that a node keeps in memory.
    pub history_bytes: usize,
    /// The most members one presence request answers.
    pub presence_page: usize,
    /// Commands a second that one connection may send, on average.
    pub commands_per_second: u32,
    /// Commands that one connection may send at once, after a pause.
    pub commands_burst: u32,
    /// Publications a second of one user, over all its connections to a node; 0 for no limit.
    pub user_publications_per_second: u32,
    /// Publications that one user may send at once, after a pause.
    pub user_publications_burst: u32,
    /// Answers owed to a client that does not read, in bytes, before it is closed.
    pub owed_bytes: usize,
    /// Publications that a channel's log keeps for readers who are behind.
    pub log_publications: usize,
    /// Bytes that a channel's log keeps for readers who are behind.
    pub log_bytes: usize,
    /// Bytes after which a stream for scripts ends, so that its browser can free what it has; 0
    /// for never.
    pub stream_bytes: usize,
    /// How long a client may take to say `connect`.
    pub connect_timeout: Duration,
    /// How long a connection that takes no bytes is kept.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 64 * 1024,
            commands_per_frame: 256,
            data_bytes: 60 * 1024,
            name_bytes: 128,
            tags: 16,
            channels_per_client: 128,
            channels_per_node: 1_000_000,
            history_page: 1_000,
            history_bytes: 512 * 1024 * 1024,
            presence_page: 1_000,
            commands_per_second: 100,
            commands_burst: 400,
            user_publications_per_second: 0,
            user_publications_burst: 100,
            owed_bytes: 1024 * 1024,
            log_publications: 4_096,
            log_bytes: 1024 * 1024,
            stream_bytes: 4 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
        }
    }
}
