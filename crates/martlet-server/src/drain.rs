//! The drain of a node, as all its threads know it: how far it is, and who asked for it. Letting
//! go itself is the workers' (`worker::leaving`), in the order that `node` gives.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Elsewhere;

/// Where a node is in its life. Each stage comes after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It says that it is not ready, and sends newcomers elsewhere; its clients stay.
    Waiting,
    /// It lets its clients go, some at a time.
    LettingGo,
    /// Everybody still there goes now, and is waited for no longer than is allowed.
    Ending,
}

impl Stage {
    /// Its name in the API and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Waiting => "waiting",
            Self::LettingGo => "letting_go",
            Self::Ending => "ending",
        }
    }
}

/// How a node lets its clients go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How long it waits before it lets the first go.
    pub wait: Duration,
    /// Over which time it lets them go.
    pub over: Duration,
    /// How long those who are behind then get to be written what there is for them.
    pub catch_up: Duration,
    /// How long the last get in all.
    pub force: Duration,
    /// Who else serves them.
    pub elsewhere: Elsewhere,
}

impl Plan {
    /// All clients go at once, and get `force` to do so, of which half is for those who are behind.
    pub fn at_once(force: Duration) -> Self {
        Self {
            wait: Duration::ZERO,
            over: Duration::ZERO,
            catch_up: force / 2,
            force,
            elsewhere: Elsewhere::Auto,
        }
    }
}

/// The drain of a node. Shared by all its threads.
#[derive(Debug)]
pub struct Drain {
    stage: watch::Sender<Stage>,
    /// How many clients were connected when it began.
    began_with: AtomicUsize,
    /// What it is to be like, if somebody asked for it by the API.
    asked: watch::Sender<Option<Plan>>,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Serving),
            began_with: AtomicUsize::new(0),
            asked: watch::Sender::new(None),
        }
    }
}

impl Drain {
    /// How far it is.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Tells of each stage that begins.
    pub fn stages(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// A stage begins. None comes twice, and none before an earlier one.
    pub fn enter(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let later = stage > *now;
            *now = stage.max(*now);
            later
        });
    }

    /// It begins with this many clients.
    pub fn begins_with(&self, clients: usize) {
        self.began_with.store(clients, Ordering::Relaxed);
    }

    /// How many clients were connected when it began.
    pub fn began_with(&self) -> usize {
        self.began_with.load(Ordering::Relaxed)
    }

    /// Somebody asks for it. The first says how.
    pub fn ask(&self, plan: Plan) {
        self.asked.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(plan);
            first
        });
    }

    /// Waits until somebody asks for it by the API.
    pub async fn asked(&self) -> Plan {
        let mut asked = self.asked.subscribe();
        match asked.wait_for(Option::is_some).await.map(|asked| *asked) {
            Ok(Some(plan)) => plan,
            // The sender is `self`.
            _ => std::future::pending().await,
        }
    }
}

/// Waits until a stage has begun, or the node is gone altogether.
pub async fn reached(mut stages: watch::Receiver<Stage>, stage: Stage) {
    // An error means that the node is gone.
    let _ = stages.wait_for(|now| *now >= stage).await;
}

#[cfg(test)]
mod tests;
