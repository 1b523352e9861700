//! Coming back after a cut: every publication exactly once, or a gap that says exactly what is
//! missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use martlet_client::{Gap, GapReason, Position};

use crate::follower::Follower;
use crate::node::{Backend, TestNode};
use crate::route::Route;

/// Publishes in two channels as fast as it can, until it is stopped.
struct Torrent {
    published: Arc<AtomicU64>,
    stop: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Torrent {
    fn begin(backend: Backend) -> Self {
        let published = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicU64::new(u64::MAX));
        let (done, end) = (Arc::clone(&published), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut n = 0;
            while n < end.load(Ordering::SeqCst) {
                backend.publish_all("a", n + 1, n + 20).await;
                backend.publish_all("b", n + 1, n + 20).await;
                n += 20;
                done.store(n, Ordering::SeqCst);
            }
        });
        Self { published, stop, task }
    }

    fn published(&self) -> u64 {
        self.published.load(Ordering::SeqCst)
    }

    /// Ends it; answers the last number.
    async fn end(self) -> u64 {
        self.stop.store(0, Ordering::SeqCst);
        self.task.await.unwrap();
        self.published.load(Ordering::SeqCst)
    }
}

/// A node whose history is longer than any test.
fn remembering() -> TestNode {
    TestNode::open(|options| options.channels.default.history_size = 1_000_000)
}

/// Reads what has been published so far and a little more, comes back on the next route, and so
/// on; then reads to the end.
async fn hop(node: &TestNode, routes: impl Iterator<Item = Route>) {
    let torrent = Torrent::begin(node.backend());
    let mut routes = routes;
    let mut follower = Follower::open(node, routes.next().unwrap(), &["a", "b"]).await;
    for (hop, route) in routes.enumerate() {
        // Sometimes it is cut in the middle of a run of publications, sometimes with all read.
        let until = follower.place("a").offset + 1 + hop as u64 % 7;
        follower
            .read_until("a", until.max(torrent.published().saturating_sub(hop as u64 % 7)))
            .await;
        follower.come_back(route).await;
    }
    let last = torrent.end().await;
    if follower.route == Route::PlainOne {
        follower.come_back(Route::Plain).await;
    }
    follower.read_until("a", last).await;
    follower.read_until("b", last).await;
    assert_eq!(follower.gaps, []);
}

#[tokio::test]
async fn cut_again_and_again_every_publication_comes_once() {
    for route in Route::ALL {
        let node = remembering();
        hop(&node, std::iter::repeat_n(route, 12)).await;
    }
}

#[tokio::test]
async fn a_follower_goes_on_from_every_route_to_every_other() {
    let node = remembering();
    hop(&node, round_trip().into_iter()).await;
}

/// A walk over all routes that goes from each to each other.
fn round_trip() -> Vec<Route> {
    let mut walk = vec![Route::ALL[0]];
    for (i, from) in Route::ALL.into_iter().enumerate() {
        for to in &Route::ALL[i + 1..] {
            walk.extend([*to, from]);
        }
        walk.extend(Route::ALL.get(i + 1));
    }
    walk
}

#[test]
fn the_walk_goes_from_each_to_each_other() {
    let walk = round_trip();
    for from in Route::ALL {
        for to in Route::ALL.into_iter().filter(|to| *to != from) {
            assert!(walk.windows(2).any(|step| step == [from, to]), "{from:?} to {to:?}");
        }
    }
}

#[tokio::test]
async fn a_gap_says_exactly_what_has_left_the_history() {
    for route in Route::ALL {
        let node = TestNode::open(|options| options.channels.default.history_size = 5);
        let backend = node.backend();
        let mut follower = Follower::open(&node, route, &["a", "b"]).await;
        backend.publish_all("a", 1, 3).await;
        follower.read_until("a", 3).await;
        follower.cut();
        backend.publish_all("a", 4, 20).await;
        follower.come_back(route).await;
        follower.read_until("a", 20).await;
        let [gap] = &follower.gaps[..] else { panic!("{route:?}: {:?}", follower.gaps) };
        assert_eq!((gap.from, gap.to, gap.reason), (4, Some(15), GapReason::Expired), "{route:?}");
    }
}

#[tokio::test]
async fn a_follower_within_the_history_has_no_gap() {
    for route in Route::ALL {
        let node = TestNode::open(|options| options.channels.default.history_size = 5);
        let backend = node.backend();
        let mut follower = Follower::open(&node, route, &["a", "b"]).await;
        backend.publish_all("a", 1, 3).await;
        follower.read_until("a", 3).await;
        follower.cut();
        backend.publish_all("a", 4, 8).await;
        follower.come_back(route).await;
        follower.read_until("a", 8).await;
        assert_eq!(follower.gaps, [], "{route:?}");
    }
}

#[tokio::test]
async fn a_channel_without_history_tells_its_gap() {
    for route in Route::ALL {
        let node = TestNode::open(|options| options.channels.default.history_size = 0);
        let backend = node.backend();
        let mut follower = Follower::open(&node, route, &["a", "b"]).await;
        backend.publish_all("a", 1, 3).await;
        follower.read_until("a", 3).await;
        follower.cut();
        backend.publish_all("a", 4, 6).await;
        follower.come_back(route).await;
        follower.read_until("a", 6).await;
        let [before @ .., gap] = &follower.gaps[..] else { panic!("{route:?}: no gap") };
        assert_eq!((gap.from, gap.to, gap.reason), (4, Some(6), GapReason::NotKept), "{route:?}");
        // Between two plain polls nobody follows: what is published then is a gap too.
        let between = |gap: &Gap| route == Route::PlainPolls && gap.to <= Some(3);
        assert!(before.iter().all(between), "{route:?}: {before:?}");
        backend.publish("a", 7).await;
        follower.read_until("a", 7).await;
    }
}

#[tokio::test]
async fn a_history_that_is_a_new_one_is_told_as_such() {
    for route in Route::ALL {
        let (old, new) = (remembering(), remembering());
        old.backend().publish_all("a", 1, 9).await;
        let mut follower = Follower::open(&old, route, &["a", "b"]).await;
        new.backend().publish_all("a", 1, 2).await;
        follower.come_back_to(&new, route).await;
        while follower.gaps.iter().all(|gap| gap.channel.as_str() != "a") {
            follower.step().await;
        }
        let gap = follower.gaps.iter().find(|gap| gap.channel.as_str() == "a").unwrap();
        assert_eq!((gap.from, gap.to, gap.reason), (10, None, GapReason::Epoch), "{route:?}");
        new.backend().publish("a", 3).await;
        follower.read_until("a", 3).await;
    }
}

#[tokio::test]
async fn a_place_beyond_the_history_is_told_as_such() {
    for route in Route::ALL {
        let node = remembering();
        let backend = node.backend();
        backend.publish_all("a", 1, 3).await;
        let mut follower = Follower::open(&node, route, &["a", "b"]).await;
        let place = follower.place("a");
        follower.set_place("a", Position { offset: 70, ..place });
        follower.come_back(route).await;
        while follower.gaps.is_empty() {
            follower.step().await;
        }
        let gap = &follower.gaps[0];
        assert_eq!((gap.from, gap.to, gap.reason), (71, None, GapReason::Ahead), "{route:?}");
        backend.publish("a", 4).await;
        follower.read_until("a", 4).await;
    }
}

#[tokio::test]
async fn since_begins_with_the_first_publication_of_that_time() {
    let node = remembering();
    let backend = node.backend();
    let first = backend.publish("a", 1).await;
    let mut n = 1;
    let since = loop {
        n += 1;
        let next = backend.publish("a", n).await;
        if next.time > first.time {
            break next.time;
        }
    };
    backend.publish_all("a", n + 1, n + 30).await;
    for route in Route::ALL {
        let mut follower = Follower::since(&node, route, &["a", "b"], since).await;
        assert_eq!(follower.began("a").offset, n - 1, "{route:?}");
        follower.read_until("a", n + 30).await;
        assert_eq!(follower.gaps, []);
    }
}
