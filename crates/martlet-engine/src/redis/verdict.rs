//! What an error of Redis says of what was sent: whether it was done, and who is to be asked.

use redis::{ErrorKind, RedisError, ServerErrorKind};

#[cfg(test)]
mod tests;

/// What an error says of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was not done, and would not be now.
    Refused,
    /// It was not done: another server, or this one a little later, is the one to ask.
    Elsewhere,
    /// It was begun and failed.
    Failed,
    /// Nobody knows.
    Broken,
}

/// Reads an error.
pub(super) fn verdict(error: &RedisError) -> Verdict {
    match error.kind() {
        ErrorKind::Server(kind) => match kind {
            ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::BusyLoading => Verdict::Elsewhere,
            _ if error.to_string().contains("Function not found") => Verdict::Elsewhere,
            ServerErrorKind::ResponseError => Verdict::Failed,
            _ => Verdict::Refused,
        },
        _ => match error.code() {
            Some("OOM" | "MISCONF" | "NOREPLICAS" | "BUSY" | "NOPERM" | "NOAUTH") => {
                Verdict::Refused
            }
            Some("UNBLOCKED" | "MOVED" | "ASK" | "READONLY") => Verdict::Elsewhere,
            _ => Verdict::Broken,
        },
    }
}
