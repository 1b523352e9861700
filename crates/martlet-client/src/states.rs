//! The states of a connection, for whoever wants to know: the present one, and a stream of them.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::session::State;

/// Changes that a reader may be behind before it skips some.
const CHANGES: usize = 64;

/// Where the driver writes the state and everybody reads it.
#[derive(Debug)]
pub struct Board {
    present: Mutex<State>,
    changes: broadcast::Sender<State>,
}

impl Board {
    /// A board that says "connecting".
    pub fn new() -> Self {
        let (changes, _) = broadcast::channel(CHANGES);
        Self { present: Mutex::new(State::Connecting), changes }
    }

    /// The present state.
    pub fn present(&self) -> State {
        self.lock().clone()
    }

    /// Writes a new state.
    pub fn write(&self, state: State) {
        let mut present = self.lock();
        *present = state.clone();
        // Nobody has to be watching.
        let _ = self.changes.send(state);
    }

    /// The present state and all that come.
    pub fn states(&self) -> States {
        let present = self.lock();
        States::new(present.clone(), self.changes.subscribe())
    }

    /// A state is written whole or not at all, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The states of a client as a stream: first the present one, then each change, until the client
/// stays away for good. A reader that is many changes behind skips the oldest.
pub struct States(BoxStream<'static, State>);

impl States {
    fn new(present: State, changes: broadcast::Receiver<State>) -> Self {
        let begin = (Some(present), changes, false);
        let states = stream::unfold(begin, |(present, mut changes, over)| async move {
            if over {
                return None;
            }
            let state = match present {
                Some(present) => present,
                None => next_change(&mut changes).await?,
            };
            let over = matches!(state, State::Disconnected { retry_in: None, .. });
            Some((state, (None, changes, over)))
        });
        Self(states.boxed())
    }

    /// The next state; `None` when no other can come.
    pub async fn next(&mut self) -> Option<State> {
        self.0.next().await
    }
}

async fn next_change(changes: &mut broadcast::Receiver<State>) -> Option<State> {
    loop {
        match changes.recv().await {
            Ok(state) => return Some(state),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

impl Stream for States {
    type Item = State;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<State>> {
        self.0.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("States")
    }
}
