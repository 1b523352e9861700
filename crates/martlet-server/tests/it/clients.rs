//! The Rust client against the server: whatever happens to its connection, its reader sees every
//! publication once.

use std::time::Duration;

use martlet_client::{
    Client, GapReason, Message, Options, Publication, SubscribeOptions, Subscription,
    SubscriptionEvent, Transport, Wire,
};
use martlet_server::config::Config;

use crate::node::{PATIENCE, TestNode, soon};

const KINDS: [(Transport, Wire); 3] = [
    (Transport::WebSocket, Wire::Json),
    (Transport::WebSocket, Wire::Proto),
    (Transport::Sse, Wire::Json),
];

fn client(node: &TestNode, (transport, wire): (Transport, Wire)) -> Client {
    let options = Options {
        transport,
        wire,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(20),
        ..Options::default()
    };
    Client::connect(&node.url(), options).unwrap()
}

async fn follow(client: &Client) -> Subscription {
    let mut followed = client.subscribe("a", SubscribeOptions::default()).await.unwrap();
    let begun = soon("the beginning", followed.next()).await;
    assert!(matches!(begun, Some(SubscriptionEvent::Subscribed(_))), "{begun:?}");
    followed
}

/// The next publication; a gap before it is a failure.
async fn next(followed: &mut Subscription) -> Publication {
    loop {
        match soon("a publication", followed.next()).await {
            Some(SubscriptionEvent::Publication(publication)) => return *publication,
            Some(SubscriptionEvent::Gap(gap)) => panic!("{gap:?}"),
            Some(_) => {}
            None => panic!("the subscription ended"),
        }
    }
}

#[tokio::test]
async fn a_client_that_is_cut_while_it_publishes_and_follows_misses_and_repeats_nothing() {
    for kind in KINDS {
        let node = TestNode::open(|_| {});
        let client = client(&node, kind);
        let mut followed = follow(&client).await;
        for n in 1..=60u64 {
            let publishing = client.publish("a", Message::json(&n).unwrap());
            if n % 7 == 0 {
                let (appended, ()) = tokio::join!(publishing, client.kill_connection());
                assert_eq!(appended.unwrap().position.offset, n, "{kind:?}");
            } else {
                assert_eq!(publishing.await.unwrap().position.offset, n, "{kind:?}");
            }
            assert_eq!(next(&mut followed).await.position.offset, n, "{kind:?}");
        }
        client.close().await;
    }
}

#[tokio::test]
async fn a_client_comes_back_to_a_node_that_was_started_again() {
    for kind in KINDS {
        let node = TestNode::open(|_| {});
        let client = client(&node, kind);
        let mut followed = follow(&client).await;
        client.publish("a", Message::json(&1).unwrap()).await.unwrap();
        assert_eq!(next(&mut followed).await.position.offset, 1);

        let mut config = Config::development();
        config.options.server.listen = vec![node.address];
        assert_eq!(soon("the end", node.stop(PATIENCE)).await, 0, "{kind:?} goes when asked to");
        let again = TestNode::of(&config.check().unwrap());
        let gap = loop {
            match soon("the gap", followed.next()).await {
                Some(SubscriptionEvent::Gap(gap)) => break gap,
                Some(_) => {}
                None => panic!("the subscription ended"),
            }
        };
        assert_eq!((gap.from, gap.to, gap.reason), (2, None, GapReason::Epoch), "{kind:?}");
        again.backend().publish("a", 1).await;
        assert_eq!(next(&mut followed).await.position.offset, 1);
        client.close().await;
    }
}
