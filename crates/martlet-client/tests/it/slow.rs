//! A reader that does not read: it costs the others nothing, and is caught up when it reads.

use martlet_client::{Client, Options, SubscriptionEvent};
use serde_json::json;

use crate::following::{BOTH, from_now, next, taken};
use crate::server::Server;

#[tokio::test]
async fn a_slow_reader_stalls_nobody_and_misses_nothing() {
    for transport in BOTH {
        let mut server = Server::start(transport).await;
        let options = Options { subscription_events: 8, ..server.options() };
        let client = Client::connect(&server.url, options).unwrap();
        let mut peer = server.peer().await;
        peer.let_in().await;
        let mut slow = client.subscribe("slow", from_now()).await.unwrap();
        let asked = peer.asked().await;
        peer.subscribed(&asked["id"], "slow", 0).await;
        let mut quick = client.subscribe("quick", from_now()).await.unwrap();
        let asked = peer.asked().await;
        peer.subscribed(&asked["id"], "quick", 0).await;
        for offset in 1..=300 {
            peer.publication("slow", offset, offset).await;
            peer.publication("quick", offset, offset).await;
            assert_eq!(taken(&mut quick).await.0, offset);
        }
        assert_eq!(peer.asked().await["unsubscribe"], json!(["slow"]));

        // The first seven beside the `subscribed` are in the queue; then the channel is asked for
        // from there.
        assert!(matches!(next(&mut slow).await, SubscriptionEvent::Subscribed(_)));
        for offset in 1..=7 {
            assert_eq!(taken(&mut slow).await.0, offset);
        }
        let asked = peer.asked().await;
        assert_eq!(asked["subscribe"][0]["offset"], 7);
        peer.subscribed(&asked["id"], "slow", 7).await;
        assert!(matches!(next(&mut slow).await, SubscriptionEvent::Lagged { offset: 7, .. }));
        for offset in 8..=300 {
            peer.publication("slow", offset, offset).await;
            assert_eq!(taken(&mut slow).await.0, offset);
        }
    }
}

#[tokio::test]
async fn a_full_reader_that_goes_away_is_left() {
    let mut server = Server::start(BOTH[0]).await;
    let options = Options { subscription_events: 2, ..server.options() };
    let client = Client::connect(&server.url, options).unwrap();
    let mut peer = server.peer().await;
    peer.let_in().await;
    let slow = client.subscribe("slow", from_now()).await.unwrap();
    let asked = peer.asked().await;
    peer.subscribed(&asked["id"], "slow", 0).await;
    for offset in 1..=20 {
        peer.publication("slow", offset, offset).await;
    }
    assert_eq!(peer.asked().await["unsubscribe"], json!(["slow"]));
    drop(slow);
    let _again = client.subscribe("slow", from_now()).await.unwrap();
    assert_eq!(peer.asked().await["subscribe"], json!([{"channel": "slow"}]));
}
