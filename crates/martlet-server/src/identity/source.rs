//! Where keys come from, and the ring that holds those of one source. Every source has a ring
//! of its own, so that a key is always known together with the place it came from and with what
//! its tokens must say.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::key::{Algorithm, Key};
use super::key_set::KeySet;
use super::remote::{Fetched, Place};
use super::token::Opened;

#[cfg(test)]
mod tests;

/// Where keys come from, and what their tokens must say.
#[derive(Debug, Clone)]
pub struct TokenSource {
    /// The keys.
    pub keys: Keys,
    /// The one algorithm that is accepted; `None` leaves it to each key.
    pub algorithm: Option<Algorithm>,
    /// One of these must be in `aud`; when empty, there must be no `aud`.
    pub audience: Vec<String>,
    /// What `iss` must be.
    pub issuer: Option<String>,
}

/// Where keys come from.
#[derive(Debug, Clone)]
pub enum Keys {
    /// From the configuration.
    Fixed(Key),
    /// From an address that [`jwks_address`](super::jwks_address) has approved.
    Url(Uri),
    /// From a file with a key set.
    File(PathBuf),
}

/// How often keys are fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How long after a fetch an unknown key does not cause another.
    pub cool_down: Duration,
    /// How soon after a failed fetch the next is tried, at first; later ones wait longer.
    pub retry: Duration,
    /// How long a fetch may take, from the name to the last byte.
    pub timeout: Duration,
}

impl Pace {
    fn of(keys: &Keys) -> Self {
        let (cool_down, retry) = match keys {
            Keys::Fixed(_) | Keys::Url(_) => (30, 5),
            Keys::File(_) => (1, 10),
        };
        let timeout = Duration::from_secs(5);
        Self {
            cool_down: Duration::from_secs(cool_down),
            retry: Duration::from_secs(retry),
            timeout,
        }
    }
}

/// The longest wait after failed fetches.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// The keys of one source, kept young.
#[derive(Debug)]
pub(super) struct Ring {
    pub source: TokenSource,
    pace: Pace,
    set: RwLock<Arc<KeySet>>,
    place: Option<tokio::sync::Mutex<Turn>>,
    /// Whether the last fetch failed, or there was none yet.
    stale: AtomicBool,
}

/// Whoever holds this fetches; the others wait and then look again.
#[derive(Debug)]
struct Turn {
    place: Place,
    last: Option<Instant>,
}

impl Ring {
    pub fn new(source: TokenSource) -> Self {
        let pace = Pace::of(&source.keys);
        Self::paced(source, pace)
    }

    pub fn paced(source: TokenSource, pace: Pace) -> Self {
        let (set, place) = match &source.keys {
            Keys::Fixed(key) => (KeySet::one(key.clone()), None),
            Keys::Url(address) => (KeySet::default(), Some(Place::url(address.clone()))),
            Keys::File(path) => (KeySet::default(), Some(Place::file(path.clone()))),
        };
        let stale = AtomicBool::new(place.is_some());
        let turn = |place| tokio::sync::Mutex::new(Turn { place, last: None });
        Self { source, pace, set: RwLock::new(Arc::new(set)), place: place.map(turn), stale }
    }

    /// Whether some key of the ring has signed the token. Every signature that is checked is
    /// taken off `tries`; at none left, nothing fits any more.
    pub fn signed(&self, opened: &Opened<'_>, tries: &mut usize) -> bool {
        let set = self.set();
        for key in set.candidates(opened.algorithm, opened.key_id.as_deref()) {
            let Some(left) = tries.checked_sub(1) else { return false };
            *tries = left;
            if key.signed(opened.message, opened.signature) {
                return true;
            }
        }
        false
    }

    /// Whether there is a key that the token could be signed with.
    pub fn might_fit(&self, opened: &Opened<'_>) -> bool {
        self.set().candidates(opened.algorithm, opened.key_id.as_deref()).next().is_some()
    }

    /// Whether there may be keys that we do not know of, because they could not be fetched.
    pub fn stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Fetches the keys again if the one that the token names is not among them: at most once
    /// in a cool-down, however many tokens ask, so that forged names are no lever against the
    /// place that has the keys.
    pub async fn fetch_for(&self, opened: &Opened<'_>) {
        let Some(turn) = &self.place else { return };
        if self.might_fit(opened) {
            return;
        }
        let mut turn = turn.lock().await;
        let recent = turn.last.is_some_and(|last| last.elapsed() < self.pace.cool_down);
        if !recent && !self.might_fit(opened) {
            let _ = self.fetch(&mut turn).await;
        }
    }

    /// Fetches the keys whenever they have grown old. Ends at once where nothing is fetched.
    pub async fn keep_fresh(&self) {
        let Some(turn) = &self.place else { return };
        let mut retry = self.pace.retry;
        loop {
            let fetched = self.fetch(&mut *turn.lock().await).await;
            let wait = match fetched {
                Some(fresh_for) => {
                    retry = self.pace.retry;
                    fresh_for
                }
                None => {
                    let wait = retry;
                    retry = (retry * 2).min(RETRY_MAX);
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Fetches the keys, and says how long they stay fresh. When that fails the old ones stay.
    async fn fetch(&self, turn: &mut Turn) -> Option<Duration> {
        let fetched = turn.place.fetch(self.source.algorithm, self.pace.timeout).await;
        turn.last = Some(Instant::now());
        match fetched {
            Ok(Fetched { set, fresh_for }) => {
                if let Some(set) = set {
                    tracing::info!(place = %turn.place, keys = set.len(), "keys for tokens read");
                    *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
                }
                self.stale.store(false, Ordering::Relaxed);
                Some(fresh_for)
            }
            Err(error) => {
                let kept = self.set().len();
                tracing::warn!(place = %turn.place, %error, kept, "keys for tokens not read");
                self.stale.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    fn set(&self) -> Arc<KeySet> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
