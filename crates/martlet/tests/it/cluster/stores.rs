//! A Redis that dies, freezes and is slow while clients read, publish and move.

use std::time::Duration;

use super::counter::Counters;
use super::delay::Delay;
use super::process::{have, until};
use super::reader::Readers;
use super::redis::Redis;
use super::verdict::{Case, Verdict};
use super::world::World;

/// How fast each of the publishers counts.
const PACE: Duration = Duration::from_millis(5);

/// Nodes at a Redis, readers of every kind before them, and publishers at each of them.
struct Scene {
    world: World,
    readers: Readers,
    counters: Counters,
}

impl Scene {
    /// A scene in which something has been published already.
    async fn set(engine: &str) -> Self {
        let world = World::start(engine, 2).await;
        let readers = Readers::of_all_ways(world.front(), "birds").await;
        let counters = Counters::start(&world.urls(), "birds", 2, PACE);
        counters.more(300).await;
        Self { world, readers, counters }
    }

    async fn all_ready(&self, status: u16) {
        for node in &self.world.nodes {
            until("/ready says so", async || node.ready().await == status).await;
        }
    }

    async fn judge(self, title: &str) -> Verdict {
        let accepted = self.counters.finish().await;
        self.readers.have(&accepted).await;
        Case { title, accepted: &accepted, readers: &self.readers.notes }.judge()
    }
}

fn programs(title: &str) -> bool {
    have(&["redis-server", "redis-cli", "haproxy"], title)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_wrote_everything_down_loses_nothing() {
    let title = "kill -9 of Redis that writes everything to its disk";
    if !programs(title) {
        return;
    }
    let mut redis = Redis::durable();
    let scene = Scene::set(&redis.address()).await;
    redis.kill();
    scene.all_ready(503).await;
    redis.begin();
    scene.all_ready(200).await;
    scene.counters.more(300).await;
    let verdict = scene.judge(title).await;
    // It says that it may have lost something, because it cannot know.
    assert!(verdict.gaps > 0 && verdict.in_gaps == 0, "{verdict:?}");
    assert_eq!(verdict.unanswered, 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_is_named_in_a_gap() {
    let title = "kill -9 of Redis that keeps nothing";
    if !programs(title) {
        return;
    }
    let mut redis = Redis::start(&[]);
    let scene = Scene::set(&redis.address()).await;
    redis.kill();
    scene.all_ready(503).await;
    redis.begin();
    scene.all_ready(200).await;
    scene.counters.more(300).await;
    let verdict = scene.judge(title).await;
    assert!(verdict.gaps > 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_is_said_and_caught_up_with() {
    let title = "SIGSTOP of Redis";
    if !programs(title) {
        return;
    }
    let redis = Redis::start(&[]);
    let scene = Scene::set(&redis.address()).await;
    redis.process().freeze();
    scene.all_ready(503).await;
    // Whoever is on a connection is told by it; who polls or comes anew is refused meanwhile.
    let held = ["WebSocket", "Protobuf", "Events", "PlainEvents", "Stream"];
    for notes in scene.readers.notes.iter().filter(|notes| held.contains(&notes.name.as_str())) {
        let what = format!("{} is told that it lags", notes.name);
        until(&what, async || notes.times_lagged() > 0).await;
    }
    redis.process().thaw();
    scene.all_ready(200).await;
    scene.counters.more(300).await;
    let verdict = scene.judge(title).await;
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_redis_is_only_slow() {
    let title = "Redis behind 300 ms";
    if !programs(title) {
        return;
    }
    let redis = Redis::start(&[]);
    let delay = Delay::before(redis.port).await;
    let scene = Scene::set(&delay.address()).await;
    delay.set(Duration::from_millis(300));
    scene.counters.more(40).await;
    scene.all_ready(200).await;
    delay.set(Duration::ZERO);
    scene.counters.more(300).await;
    let verdict = scene.judge(title).await;
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_answers_nobody_for_a_while_repeats_nothing() {
    let title = "DEBUG SLEEP of Redis, longer than a publisher waits";
    if !programs(title) {
        return;
    }
    let redis = Redis::start(&["--enable-debug-command", "local"]);
    let scene = Scene::set(&redis.address()).await;
    let port = redis.port;
    let asleep = tokio::task::spawn_blocking(move || {
        super::redis::cli(port, &["debug", "sleep", "5"]);
    });
    asleep.await.unwrap();
    scene.counters.more(300).await;
    let verdict = scene.judge(title).await;
    assert_eq!((verdict.in_gaps, verdict.gaps, verdict.unanswered), (0, 0, 0), "{verdict:?}");
}
