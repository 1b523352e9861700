//! Another Redis takes the place of the one that failed, found by real sentinels.

use std::time::Duration;

use super::counter::Counters;
use super::process::{have, until};
use super::reader::Readers;
use super::redis::{Redis, Sentinels};
use super::verdict::{Case, Verdict};
use super::world::World;

/// How fast each of the publishers counts.
const PACE: Duration = Duration::from_millis(5);

/// A master with a replica, sentinels that watch them, and everybody else.
struct Scene {
    master: Redis,
    replica: Redis,
    sentinels: Sentinels,
    world: World,
    readers: Readers,
    counters: Counters,
}

impl Scene {
    async fn set(title: &str) -> Option<Self> {
        if !have(&["redis-server", "redis-cli", "haproxy"], title) {
            return None;
        }
        let master = Redis::start(&[]);
        let replica = master.replica();
        replica.in_step().await;
        let sentinels = Sentinels::start(&master).await;
        let world = World::start(&sentinels.address(), 2).await;
        let mut readers = Readers::of_all_ways(world.front(), "birds").await;
        readers.begin_sleeper();
        readers.follow().await;
        let counters = Counters::start(&world.urls(), "birds", 2, PACE);
        counters.more(300).await;
        Some(Self { master, replica, sentinels, world, readers, counters })
    }

    async fn judge(self, title: &str) -> Verdict {
        for node in &self.world.nodes {
            until("the node is ready", async || node.ready().await == 200).await;
        }
        self.counters.more(300).await;
        let accepted = self.counters.finish().await;
        self.readers.have(&accepted).await;
        Case { title, accepted: &accepted, readers: &self.readers.notes }.judge()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_everybody_catches_up_or_is_told() {
    let title = "failover by sentinels under load";
    let Some(mut scene) = Scene::set(title).await else { return };
    scene.master.kill();
    scene.sentinels.lead_to(&scene.replica).await;
    let verdict = scene.judge(title).await;
    assert!(verdict.gaps > 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_tail_is_a_gap_and_never_silent() {
    let title = "failover to a replica that missed the newest";
    let Some(mut scene) = Scene::set(title).await else { return };
    scene.readers.sleep(true);
    scene.replica.copy_no_more();
    // Who is awake gets it now. What is accepted now the replica will never have.
    scene.counters.more(200).await;
    scene.master.kill();
    scene.sentinels.lead_to(&scene.replica).await;
    scene.readers.sleep(false);
    let verdict = scene.judge(title).await;
    assert!(verdict.gaps > 0 && verdict.in_gaps > 100, "{verdict:?}");
}
