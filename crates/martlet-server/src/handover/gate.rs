//! Whether a node accepts, and how many of its loops are at it: one that is told to pause may be in
//! the middle of accepting.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Broken;

/// The gate before a node's listening sockets. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate {
    open: watch::Sender<bool>,
    /// How many loops accept.
    accepting: watch::Sender<usize>,
}

impl Gate {
    /// A gate that is open, or not yet.
    pub fn new(open: bool) -> Self {
        Self { open: watch::Sender::new(open), accepting: watch::Sender::new(0) }
    }

    /// Whoever comes is accepted.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Nobody is accepted any more: waits until that is so. Blocks.
    pub fn close(&self, patience: Duration) -> Result<(), Broken> {
        self.open.send_replace(false);
        let mut accepting = self.accepting.subscribe();
        let paused = async move {
            tokio::time::timeout(patience, accepting.wait_for(|loops| *loops == 0)).await.is_ok()
        };
        if Handle::current().block_on(paused) { Ok(()) } else { Err(Broken::Late) }
    }

    /// Does something as long as it is open, and again each time it is.
    pub async fn while_open(&self, mut work: impl AsyncFnMut(watch::Receiver<bool>)) {
        let mut open = self.open.subscribe();
        // An error means that there is no gate any more.
        while open.wait_for(|open| *open).await.is_ok() {
            self.accepting.send_modify(|loops| *loops += 1);
            // It may have been closed just before that was said.
            if *open.borrow() {
                work(open.clone()).await;
            }
            self.accepting.send_modify(|loops| *loops -= 1);
        }
    }
}

/// Waits until it is closed.
pub async fn closed(mut open: watch::Receiver<bool>) {
    // An error means that there is no gate any more.
    let _ = open.wait_for(|open| !*open).await;
}
