//! What is published reaches every follower on every route, in one order.

use crate::follower::Follower;
use crate::node::TestNode;
use crate::route::Route;

#[tokio::test]
async fn publications_reach_every_route_in_order() {
    let node = TestNode::open(|_| {});
    let backend = node.backend();
    let mut followers = Vec::new();
    for route in Route::ALL {
        followers.push(Follower::open(&node, route, &["a", "b"]).await);
    }
    backend.publish("a", 1).await;
    backend.publish_all("b", 1, 50).await;
    backend.publish_large("a", 2, 12, 30_000).await;
    backend.publish_all("a", 13, 300).await;
    for follower in &mut followers {
        follower.read_until("a", 300).await;
        if follower.route != Route::PlainOne {
            follower.read_until("b", 50).await;
        }
        assert_eq!(follower.gaps, []);
    }
    let deflated = followers.iter_mut().map(|follower| follower.link().deflated());
    assert!(deflated.sum::<usize>() > 100, "what is worth it is deflated");
}
