//! Whoever reads slowly costs only its own lag: the others are not held up, memory is bounded,
//! and it is caught up exactly, or told exactly what it has lost.

use martlet_client::GapReason;
use martlet_core::model::Lagging;

use crate::follower::Follower;
use crate::http::count;
use crate::link::Seen;
use crate::node::{TestNode, soon};
use crate::route::Route;

/// The size of a publication, of which a socket's buffers hold only so many.
const BYTES: usize = 50_000;

/// A log of a megabyte and a few pages for each of the routes and for the reader that keeps up.
const LOGS_MAX: u64 = 18 * 2 * 1024 * 1024;

/// Followers on all routes that read nothing for now.
async fn silent(node: &TestNode) -> Vec<Follower> {
    silent_on(node, |_| true).await
}

async fn silent_on(node: &TestNode, wanted: impl Fn(Route) -> bool) -> Vec<Follower> {
    let mut followers = Vec::new();
    for route in Route::ALL.into_iter().filter(|route| wanted(*route)) {
        followers.push(Follower::open(node, route, &["a"]).await);
    }
    followers
}

/// Publishes, and sees to it that somebody who reads gets all of it in the meantime.
async fn publish_watched(node: &TestNode, last: u64) {
    let backend = node.backend();
    let mut brisk = Follower::open(node, Route::Stream, &["a"]).await;
    for n in (1..=last).step_by(8) {
        let end = last.min(n + 7);
        backend.publish_large("a", n, end, BYTES).await;
        brisk.read_until("a", end).await;
    }
    assert_eq!((brisk.gaps, brisk.lagged), (vec![], 0), "it is not held up");
}

#[tokio::test]
async fn fifty_megabytes_unread_hold_up_nobody_and_leave_an_exact_gap() {
    let node = TestNode::open(|options| options.channels.default.history_size = 60);
    let mut followers = silent(&node).await;
    publish_watched(&node, 1_000).await;
    let held = count(&node, "martlet_log_bytes").await;
    assert!(held < LOGS_MAX, "{held} bytes in the logs");
    for follower in &mut followers {
        let route = follower.route;
        follower.read_until("a", 1_000).await;
        assert!(follower.lagged >= 1 || route.forgotten(), "{route:?} is told that it fell behind");
        let [gap] = &follower.gaps[..] else { panic!("{route:?}: {:?}", follower.gaps) };
        assert_eq!((gap.to, gap.reason), (Some(940), GapReason::Expired), "{route:?}");
        assert!(gap.from < 300, "{route:?} got {} before", gap.from);
    }
    node.backend().publish("a", 1_001).await;
    for follower in &mut followers {
        follower.read_until("a", 1_001).await;
    }
}

#[tokio::test]
async fn who_fell_behind_within_the_history_is_caught_up_without_a_gap() {
    let node = TestNode::open(|options| options.channels.default.history_size = 1_000);
    let mut followers = silent(&node).await;
    publish_watched(&node, 200).await;
    for follower in &mut followers {
        follower.read_until("a", 200).await;
        let told = follower.lagged >= 1 || follower.route.forgotten();
        assert!(told, "{:?} is told that it fell behind", follower.route);
        assert_eq!(follower.gaps, [], "{:?}", follower.route);
    }
    let held = count(&node, "martlet_log_bytes").await;
    assert_eq!(held, 0, "what everybody has is let go");
}

#[tokio::test]
async fn who_fell_behind_where_there_is_no_history_is_told_its_gap() {
    let node = TestNode::open(|options| options.channels.default.history_size = 0);
    let mut followers = silent(&node).await;
    publish_watched(&node, 200).await;
    for follower in &mut followers {
        let route = follower.route;
        follower.read_until("a", 200).await;
        let [gap] = &follower.gaps[..] else { panic!("{route:?}: {:?}", follower.gaps) };
        assert_eq!(gap.reason, GapReason::NotKept, "{route:?}");
    }
}

#[tokio::test]
async fn who_fell_behind_is_closed_where_the_namespace_says_so() {
    let node = TestNode::open(|options| {
        options.channels.default.history_size = 0;
        options.channels.default.lagging = Lagging::Close;
    });
    // Who is known only while it asks cannot be closed in between.
    let mut followers = silent_on(&node, |route| !route.forgotten()).await;
    publish_watched(&node, 200).await;
    for follower in &mut followers {
        let close = loop {
            match follower.step().await {
                Seen::Close { code, reconnect, .. } => break (code, reconnect),
                Seen::Publication { .. } => {}
                other => panic!("{:?}: {other:?}", follower.route),
            }
        };
        assert_eq!(close, (3003, true), "{:?}", follower.route);
    }
}

#[tokio::test]
async fn a_connection_that_takes_no_bytes_is_cut_in_the_end() {
    let node = TestNode::open(|options| {
        options.limits.write_timeout = std::time::Duration::from_secs(1);
    });
    // The answers to polls are whole, and fit what a connection takes.
    let followers = silent_on(&node, |route| !route.polls()).await;
    publish_watched(&node, 200).await;
    let all_cut = async {
        while count(&node, "martlet_connections").await > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the cut", all_cut).await;
    assert_eq!(count(&node, "martlet_readers_cut_total").await, followers.len() as u64);
    for mut follower in followers {
        follower.come_back(follower.route).await;
        follower.read_until("a", 200).await;
        assert_eq!(follower.gaps, []);
    }
}
