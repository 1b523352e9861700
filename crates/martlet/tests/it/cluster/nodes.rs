//! Nodes that die, freeze and stop while clients read, publish and move between them.

use std::time::Duration;

use super::counter::{Counters, LAST};
use super::process::have;
use super::reader::Readers;
use super::redis::Redis;
use super::verdict::Case;
use super::world::World;

/// How fast each of the publishers counts.
const PACE: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_a_node_loses_nothing() {
    if !have(&["redis-server", "haproxy"], "kill -9 of a node") {
        return;
    }
    let redis = Redis::start(&[]);
    let mut world = World::start(&redis.address(), 3).await;
    let readers = Readers::of_all_ways(world.front(), "kill").await;
    let counters = Counters::start(&world.urls(), "kill", 3, PACE);
    counters.more(300).await;
    world.nodes[1].kill();
    counters.more(600).await;
    world.nodes[1].begin();
    counters.more(300).await;
    let accepted = counters.finish().await;
    readers.have(LAST).await;
    let case = Case { title: "kill -9 of a node", accepted: &accepted, readers: &readers.notes };
    let verdict = case.judge();
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
}
