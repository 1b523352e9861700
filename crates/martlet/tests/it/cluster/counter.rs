//! A backend that counts: it publishes numbers by the HTTP API of whichever node answers, each
//! with a key, and again elsewhere until it is accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_client::{Api, ApiOptions, Message, Position};
use tokio::task::JoinHandle;

use super::process::PATIENCE;

/// How long an answer is waited for before another node is asked.
const ANSWER: Duration = Duration::from_secs(3);

/// The pause before asking again after a refusal.
const PAUSE: Duration = Duration::from_millis(50);

/// The numbers of one publisher begin here, times which it is.
const NUMBERS: u64 = 1_000_000;

/// The number of the last publication.
const LAST: u64 = u64::MAX >> 16;

/// A publication that was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub number: u64,
    pub position: Position,
    pub id: String,
    /// How often it was asked for.
    pub tries: usize,
    /// Whether an earlier try had been taken, of which nobody had said so.
    pub duplicate: bool,
}

/// The nodes' APIs.
pub struct Backend {
    nodes: Vec<Api>,
    channel: String,
}

impl Backend {
    pub fn new(urls: &[String], channel: &str) -> Self {
        let options = ApiOptions { timeout: ANSWER, ..ApiOptions::default() };
        let api = |url: &String| Api::with(url, Some(super::world::KEY), options.clone()).unwrap();
        Self { nodes: urls.iter().map(api).collect(), channel: channel.to_owned() }
    }

    /// Publishes a number until it is accepted, by the node asked last and then by the others.
    pub async fn publish(&self, number: u64, at: &mut usize) -> Accepted {
        let begun = Instant::now();
        for tries in 1.. {
            let api = &self.nodes[*at % self.nodes.len()];
            let message = Message::raw_json(&format!("{{\"n\":{number}}}")).unwrap();
            match api.publish(&self.channel, message.key(format!("key-{number}"))).await {
                Ok(appended) => {
                    let (position, duplicate) = (appended.position, appended.duplicate);
                    let id = appended.id.to_string();
                    return Accepted { number, position, id, tries, duplicate };
                }
                Err(error) => {
                    assert!(begun.elapsed() < PATIENCE, "{number} is not accepted: {error}");
                    *at += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        unreachable!("it tries until it is accepted");
    }
}

/// Publishers at work, at different nodes at once.
pub struct Counters {
    backend: Arc<Backend>,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    working: Vec<JoinHandle<Vec<Accepted>>>,
}

impl Counters {
    /// Publishers that each publish a number every `pace`, or as fast as they are answered, until they
    /// are told to stop.
    pub fn start(urls: &[String], channel: &str, publishers: usize, pace: Duration) -> Self {
        let backend = Arc::new(Backend::new(urls, channel));
        let (stop, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let working = (0..publishers).map(|which| {
            let (backend, stop, count) = (backend.clone(), stop.clone(), count.clone());
            tokio::spawn(async move {
                let mut at = which;
                let mut accepted: Vec<Accepted> = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let number = which as u64 * NUMBERS + accepted.len() as u64 + 1;
                    let next = backend.publish(number, &mut at).await;
                    in_order(accepted.last(), &next);
                    accepted.push(next);
                    count.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(pace.saturating_sub(begun.elapsed())).await;
                }
                accepted
            })
        });
        let working = working.collect();
        Self { backend, stop, count, working }
    }

    /// Waits until so many more were accepted.
    pub async fn more(&self, count: usize) {
        let until = self.count.load(Ordering::Relaxed) + count;
        let accepted = async || self.count.load(Ordering::Relaxed) >= until;
        super::process::until("more is accepted", accepted).await;
    }

    /// Stops, publishes one that is the last, and gives all that were accepted.
    pub async fn finish(self) -> Vec<Accepted> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for working in self.working {
            all.extend(working.await.unwrap());
        }
        all.push(self.backend.publish(LAST, &mut 0).await);
        all
    }
}

/// What a publisher is answered later has a later place.
fn in_order(before: Option<&Accepted>, next: &Accepted) {
    let Some(before) = before.filter(|before| before.position.epoch == next.position.epoch) else {
        return;
    };
    assert!(before.position.offset < next.position.offset, "{before:?} before {next:?}");
}
