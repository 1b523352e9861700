//! A publisher and a subscriber who do nothing wrong, while somebody attacks: each publication
//! has to arrive, in order, at once and in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use martlet_client::{Api, Client, Message, Options, SubscribeOptions};

use crate::node::{PATIENCE, Victim};

/// The longest that a publication may take during an attack. The machine that runs the tests may
/// be busy with others; on one of its own it is a hundredth of this.
const LONGEST: Duration = Duration::from_secs(3);

/// How fast it publishes.
const PACE: Duration = Duration::from_millis(3);

/// The pair at work.
pub struct Calm {
    enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<Record>>,
}

/// What the pair saw.
#[derive(Debug)]
pub struct Record {
    pub publications: u64,
    pub longest: Duration,
}

impl Calm {
    /// Begins; when this returns, publications flow.
    pub fn begin(victim: &Victim) -> Self {
        Self::begin_with(victim, None, Options::default())
    }

    /// The same with an API key and options.
    pub fn begin_with(victim: &Victim, key: Option<&str>, options: Options) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (url, key, over) = (victim.url(), key.map(str::to_owned), Arc::clone(&enough));
        let (begun, beginning) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let api = Api::new(&url, key.as_deref()).unwrap();
                let client = Client::connect(&url, options).unwrap();
                let work = work(&api, &client, &over, || begun.send(()).unwrap());
                let record = work.await;
                client.close().await;
                record
            })
        });
        let waited = beginning.recv_timeout(PATIENCE);
        waited.expect("the pair's first publication arrives");
        Self { enough, thread: Some(thread) }
    }

    /// Ends, and checks what the pair saw.
    pub fn end(mut self) -> Record {
        self.enough.store(true, Ordering::Relaxed);
        let record = self.thread.take().unwrap().join().expect("the pair sees nothing of attacks");
        assert!(record.longest < LONGEST, "a publication took {:?}", record.longest);
        record
    }
}

impl Drop for Calm {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

async fn work(api: &Api, client: &Client, over: &AtomicBool, begun: impl FnOnce()) -> Record {
    let mut begun = Some(begun);
    let mut calm = client.subscribe("calm", SubscribeOptions::default()).await.unwrap();
    let mut record = Record { publications: 0, longest: Duration::ZERO };
    // What is published before the subscription begins it would not get.
    while calm.position().is_none() {
        tokio::time::timeout(PATIENCE, calm.next()).await.unwrap().unwrap();
    }
    while !over.load(Ordering::Relaxed) {
        let n = record.publications + 1;
        let since = Instant::now();
        let message = Message::json(&n).unwrap();
        let receipt = tokio::time::timeout(PATIENCE, api.publish("calm", message)).await;
        assert_eq!(receipt.unwrap().unwrap().position.offset, n);
        let heard = tokio::time::timeout(PATIENCE, calm.publication()).await.unwrap().unwrap();
        assert_eq!(heard.position.offset, n, "publications come in order, each of them");
        record.longest = record.longest.max(since.elapsed());
        record.publications = n;
        begun.take().into_iter().for_each(|begun| begun());
        tokio::time::sleep(PACE).await;
    }
    record
}
