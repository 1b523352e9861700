//! Clients who follow a channel, and a backend that counts in it.

use std::time::Duration;

use martlet_client::{
    Api, Client, Gap, Message, Options, SubscribeOptions, Subscription, SubscriptionEvent,
    Transport,
};

use crate::served::{PATIENCE, Served};

/// Waits for what has to come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("{what} did not come in {PATIENCE:?}"))
}

/// Runs a test on a thread of its own runtime.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test)
}

/// A client that follows the channel `news`.
pub struct Follower {
    pub client: Client,
    pub news: Subscription,
}

impl Follower {
    pub async fn of(served: &Served, transport: Transport) -> Self {
        let options = Options {
            transport,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_millis(500),
            ..Options::default()
        };
        let client = Client::connect(&served.url(), options).unwrap();
        let mut news = client.subscribe("news", SubscribeOptions::default()).await.unwrap();
        while news.position().is_none() {
            soon("the beginning", news.next()).await.unwrap();
        }
        Self { client, news }
    }

    /// The number that the next publication says; a gap on the way is given too.
    pub async fn next(&mut self) -> (u64, Option<Gap>) {
        let mut gap = None;
        loop {
            match soon("a publication", self.news.next()).await.unwrap() {
                SubscriptionEvent::Publication(publication) => {
                    let martlet_client::Data::Json(json) = &publication.data else {
                        panic!("{publication:?}")
                    };
                    return (serde_json::from_slice(json).unwrap(), gap);
                }
                SubscriptionEvent::Gap(told) => gap = Some(told),
                _ => {}
            }
        }
    }
}

/// Publishes a number, again and again until the server has taken it.
pub async fn count(api: &Api, number: u64) {
    let key = format!("number-{number}");
    soon("a receipt", async {
        loop {
            let message = Message::json(&number).unwrap().key(key.as_str());
            match api.publish("news", message).await {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
}
