//! Nodes that die, freeze and stop while clients read, publish and move between them.

use std::time::Duration;

use super::counter::Counters;
use super::process::{have, until};
use super::reader::Readers;
use super::redis::Redis;
use super::verdict::Case;
use super::world::World;

/// How fast each of the publishers counts.
const PACE: Duration = Duration::from_millis(5);

/// Nodes, readers of every kind before them, and publishers at each of them.
struct Scene {
    world: World,
    readers: Readers,
    counters: Counters,
    redis: Redis,
}

impl Scene {
    /// A scene in which something has been published already; `None` without the programs.
    async fn set(title: &str) -> Option<Self> {
        if !have(&["redis-server", "redis-cli", "haproxy"], title) {
            return None;
        }
        let redis = Redis::start(&[]);
        let world = World::start(&redis.address(), 3).await;
        let readers = Readers::of_all_ways(world.front(), "birds").await;
        let counters = Counters::start(&world.urls(), "birds", 3, PACE);
        counters.more(300).await;
        Some(Self { world, readers, counters, redis })
    }

    /// Nothing is missing, nothing came twice, and no gap was told.
    async fn nothing_lost(self, title: &str) {
        let accepted = self.counters.finish().await;
        self.readers.have(&accepted).await;
        let case = Case { title, accepted: &accepted, readers: &self.readers.notes };
        let verdict = case.judge();
        assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_a_node_loses_nothing() {
    let title = "kill -9 of a node";
    let Some(mut scene) = Scene::set(title).await else { return };
    scene.world.nodes[1].kill();
    scene.counters.more(600).await;
    scene.world.nodes[1].begin();
    scene.counters.more(300).await;
    scene.nothing_lost(title).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_loses_nothing() {
    let title = "SIGSTOP of a node, until the others took it for dead";
    let Some(scene) = Scene::set(title).await else { return };
    let frozen = scene.world.nodes[1].process();
    frozen.freeze();
    until("two nodes live", async || scene.redis.nodes() == 2).await;
    scene.counters.more(300).await;
    frozen.thaw();
    until("three nodes live", async || scene.redis.nodes() == 3).await;
    scene.counters.more(300).await;
    scene.nothing_lost(title).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_stopped_one_after_the_other_lose_nothing() {
    let title = "each node stopped and started again";
    let Some(mut scene) = Scene::set(title).await else { return };
    for node in 0..3 {
        scene.world.nodes[node].stop().await;
        scene.counters.more(100).await;
        scene.world.nodes[node].begin();
        scene.world.ready().await;
        scene.counters.more(100).await;
    }
    scene.nothing_lost(title).await;
}
