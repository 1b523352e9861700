//! The limit of open files: each connection takes one here, and one in a server on this machine.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open for other things than connections, with some room.
const OTHERS: u64 = 100;

/// Raises the soft limit to the hard one; servers started later have it too. Says how many
/// connections can be open at once.
pub fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // What is refused leaves the limit as it was.
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let most = current.unwrap_or(u64::MAX).saturating_sub(OTHERS);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// How many of `wanted` connections can be opened by each of so many crowds that are there at the
/// same time, and what to say about the others.
pub fn affordable(wanted: usize, crowds: usize) -> (usize, Option<String>) {
    let files = raise();
    let most = files / crowds.max(1);
    if wanted <= most {
        return (wanted, None);
    }
    let note = format!(
        "{} of {wanted} connections to each server were not opened: this user may have {} files \
         open (raise it with `ulimit -Hn`)",
        wanted - most,
        files as u64 + OTHERS
    );
    (most, Some(note))
}
