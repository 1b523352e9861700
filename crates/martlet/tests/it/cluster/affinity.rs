//! What it saves when those who follow the same channel meet on the same node: the configurations
//! of `deploy/`, by the real programs, and what Redis has to do with each. Counted, not timed.

use std::net::SocketAddr;
use std::time::Duration;

use super::counter::Backend;
use super::http::{Ask, Held};
use super::process::{have, until};
use super::proxy::Proxy;
use super::redis::Redis;
use super::world::World;

/// So many channels, and readers of each.
const CHANNELS: usize = 24;
const READERS: usize = 6;
const NODES: usize = 3;

/// What Redis had to do.
#[derive(Debug)]
struct Work {
    /// Connections of nodes that listen to a channel, of all channels together: so often each
    /// publication is sent to a node.
    listened: usize,
    /// Calls while the readers begin, those by which nodes say that they live among them.
    calls: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn affinity_saves_what_redis_sends() {
    if !have(&["redis-server", "redis-cli", "haproxy", "nginx"], "affinity") {
        return;
    }
    let redis = Redis::start(&[]);
    let world = World::start(&redis.address(), NODES).await;
    let ports: Vec<_> = world.nodes.iter().map(|node| node.port).collect();
    let haproxy = Proxy::haproxy("haproxy-affinity.cfg", &ports);
    let nginx = Proxy::nginx("nginx-affinity.conf", &ports);
    let round = begin(&redis, &world, world.front(), "round").await;
    let hashed = begin(&redis, &world, haproxy.address(), "hashed").await;
    let also = begin(&redis, &world, nginx.address(), "also").await;
    for (proxy, work) in
        [("haproxy.cfg", &round), ("haproxy-affinity.cfg", &hashed), ("nginx-affinity.conf", &also)]
    {
        let Work { listened, calls } = work;
        eprintln!(
            "{proxy}: {CHANNELS} channels with {READERS} readers each on {NODES} nodes: a \
             publication goes from Redis to {:.2} nodes, {calls} calls to begin",
            *listened as f64 / CHANNELS as f64
        );
    }
    assert_eq!(round.listened, CHANNELS * NODES, "readers in turn are everywhere");
    assert_eq!((hashed.listened, also.listened), (CHANNELS, CHANNELS), "one node each");
    assert!(
        hashed.calls < round.calls && also.calls < round.calls,
        "{round:?} {hashed:?} {also:?}"
    );
}

/// Lets readers begin at a proxy, and checks that each is served.
async fn begin(redis: &Redis, world: &World, at: SocketAddr, name: &str) -> Work {
    let before = calls(redis);
    let mut readers = Vec::new();
    for reader in 0..READERS {
        for channel in 0..CHANNELS {
            // One after the other in each channel: HAProxy's turn goes on from channel to channel.
            let path = format!("/v1/stream?channel={name}-{channel}&turn={reader}");
            let mut held = Held::open(at, Ask::get(&path), Duration::from_secs(20)).await.unwrap();
            let cursor = held.line().await.unwrap().unwrap();
            assert!(cursor.contains("cursor"), "{} {cursor}", held.status);
            readers.push((channel, held));
        }
        let skip = Ask::get("/v1/openapi.json").whole(at, Duration::from_secs(20)).await;
        assert_eq!(skip.unwrap().0, 200);
    }
    let work = Work { listened: listened(redis, name), calls: calls(redis) - before };
    for channel in 0..CHANNELS {
        let backend = Backend::new(&world.urls(), &format!("{name}-{channel}"));
        backend.publish(channel as u64, &mut { channel }).await;
    }
    for (channel, held) in &mut readers {
        let number = format!("\"data\":{{\"n\":{channel}}}");
        let mut line = String::new();
        until("the publication comes", async || {
            line = held.line().await.unwrap().unwrap();
            line.contains(&number)
        })
        .await;
    }
    work
}

/// How many nodes listen to the channels that begin so, each counted for itself.
fn listened(redis: &Redis, name: &str) -> usize {
    let pattern = format!("*{name}-*");
    let all = redis.cli(&["--raw", "pubsub", "shardchannels", &pattern]);
    let mut ask = vec!["--raw", "pubsub", "shardnumsub"];
    ask.extend(all.lines());
    let answer = redis.cli(&ask);
    answer.lines().skip(1).step_by(2).map(|count| count.trim().parse().unwrap_or(0)).sum()
}

/// How often functions were called.
fn calls(redis: &Redis) -> usize {
    let stats = redis.cli(&["info", "commandstats"]);
    let of = |name: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(name));
        let count = line.and_then(|line| line.split(',').next()?.parse::<usize>().ok());
        count.unwrap_or(0)
    };
    of("cmdstat_fcall:calls=") + of("cmdstat_ssubscribe:calls=")
}
