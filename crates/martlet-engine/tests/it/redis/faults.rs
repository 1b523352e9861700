//! Redis that restarts, fails over, hangs, is cut off, and loses what it took. Every publication
//! that was accepted is delivered to each follower once, or named by a gap.

use martlet_core::model::Appended;
use martlet_sim::contract::Site as _;

use super::*;
use crate::node::{Count, Heard, Node, judge};
use crate::site::wait;

/// Two nodes that follow a channel, and publish in it in turn.
struct Stage {
    site: Remotes,
    nodes: [Node; 2],
    accepted: Vec<Appended>,
}

const CHANNEL: &str = "news";

impl Stage {
    fn new(address: &str) -> Self {
        let mut site = site(address);
        let mut nodes = [Node::new(&mut site, 1), Node::new(&mut site, 2)];
        nodes.iter_mut().for_each(|node| node.follow(&mut site, CHANNEL));
        Self { site, nodes, accepted: Vec::new() }
    }

    /// Publishes so many, each until it is accepted.
    fn publish(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.accepted.len();
            let key = format!("key{number}");
            let appended = self.nodes[number % 2].publish(&mut self.site, CHANNEL, &key);
            self.accepted.push(appended);
            let now = self.site.now();
            self.nodes.iter_mut().for_each(|node| node.work(now));
        }
    }

    /// Waits until something is so on both nodes.
    fn until(&mut self, what: &str, so: impl Fn(&Node) -> bool) {
        let (clock, nodes) = (self.site.clock(), &mut self.nodes);
        wait(&mut self.site, what, || {
            nodes.iter_mut().for_each(|node| node.work(clock()));
            nodes.iter().all(&so).then_some(())
        });
    }

    /// Waits until both have the last publication; then what each was delivered is judged.
    fn end(mut self, what: &str) -> Count {
        let last = self.accepted.last().unwrap().position;
        let last = Heard::Publication(last.epoch, last.offset);
        self.until("the last publication", |node| node.heard(CHANNEL).contains(&last));
        let counts = self.nodes.each_ref().map(|node| judge(&node.heard(CHANNEL), &self.accepted));
        eprintln!("{what}: {} accepted; of each node {counts:?}", self.accepted.len());
        counts[0]
    }
}

#[test]
fn connections_that_are_cut_lose_nothing() {
    if !have_redis("connections_that_are_cut_lose_nothing") {
        return;
    }
    let redis = Redis::start(&[]);
    let mut stage = Stage::new(&redis.address());
    for _ in 0..5 {
        stage.publish(20);
        redis.cli(&["client", "kill", "type", "normal", "skipme", "yes"]);
        stage.publish(20);
        redis.cli(&["client", "kill", "type", "pubsub"]);
    }
    stage.publish(20);
    let count = stage.end("connections cut ten times");
    assert_eq!((count.delivered, count.gaps), (220, 0));
}

#[test]
fn a_restart_with_everything_kept_says_only_that_there_may_be_a_gap() {
    if !have_redis("a_restart_with_everything_kept_says_only_that_there_may_be_a_gap") {
        return;
    }
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut stage = Stage::new(&redis.address());
    stage.publish(50);
    redis.kill();
    redis.begin();
    stage.publish(50);
    let count = stage.end("kill -9 and restart, everything kept");
    assert_eq!((count.delivered, count.gaps, count.named), (100, 1, 0));
}

#[test]
fn a_restart_with_nothing_kept_is_another_history() {
    if !have_redis("a_restart_with_nothing_kept_is_another_history") {
        return;
    }
    let mut redis = Redis::start(&[]);
    let mut stage = Stage::new(&redis.address());
    stage.publish(50);
    redis.kill();
    redis.begin();
    stage.publish(50);
    let count = stage.end("kill -9 and restart, nothing kept");
    assert_eq!((count.delivered, count.gaps, count.named), (100, 1, 0));
}

#[test]
fn a_redis_that_hangs_is_told_of_and_nothing_is_lost() {
    if !have_redis("a_redis_that_hangs_is_told_of_and_nothing_is_lost") {
        return;
    }
    let redis = Redis::start(&[]);
    let mut stage = Stage::new(&redis.address());
    stage.publish(50);
    redis.server.as_ref().unwrap().freeze();
    stage.until("the silence", |node| node.silent);
    redis.server.as_ref().unwrap().thaw();
    stage.until("the end of the silence", |node| !node.silent);
    stage.publish(50);
    let count = stage.end("Redis stopped and continued");
    assert_eq!((count.delivered, count.gaps), (100, 0));
}

#[test]
fn a_key_that_was_perhaps_published_is_published_once() {
    if !have_redis("a_key_that_was_perhaps_published_is_published_once") {
        return;
    }
    let redis = Redis::start(&[]);
    let mut stage = Stage::new(&redis.address());
    stage.publish(1);
    redis.server.as_ref().unwrap().freeze();
    // It is sent to a Redis that does not answer in time, and does it later all the same.
    let now = stage.site.now();
    let number = stage.nodes[0].begin_publish(now, CHANNEL, "perhaps");
    let clock = stage.site.clock();
    let node = &mut stage.nodes[0];
    wait(&mut stage.site, "the refusal", || {
        node.work(clock());
        node.reply(number)
    });
    redis.server.as_ref().unwrap().thaw();
    let appended = stage.nodes[1].publish(&mut stage.site, CHANNEL, "perhaps");
    assert!(appended.duplicate, "{appended:?}");
    stage.accepted.push(appended);
    stage.publish(10);
    let count = stage.end("a publication that was in doubt");
    assert_eq!((count.delivered, count.gaps), (12, 0));
}

#[test]
fn a_promoted_replica_that_missed_the_newest_is_another_history_with_a_common_part() {
    if !have_redis("a_promoted_replica_that_missed_the_newest_is_another_history") {
        return;
    }
    let mut master = Redis::start(&[]);
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let sentinel = sentinel(master.port);
    let mut stage = Stage::new(&format!("redis-sentinel://127.0.0.1:{}/main", sentinel.port));
    stage.publish(30);
    let synced = || replica.cli(&["info", "replication"]).contains("master_link_status:up");
    let copied = |redis: &Redis| redis.cli(&["xlen", &stream_key(redis)]).trim() == "30";
    wait(&mut stage.site, "the replica", || (synced() && copied(&replica)).then_some(()));
    // What is taken from now on does not reach the replica.
    replica.server.as_ref().unwrap().freeze();
    stage.publish(5);
    master.kill();
    replica.server.as_ref().unwrap().thaw();
    stage.publish(30);
    let count = stage.end("failover that lost the newest five");
    // Nodes had them before they were lost; readers elsewhere learn of them by the gap.
    assert_eq!((count.delivered, count.gaps, count.named), (65, 1, 0));
}

/// The key of the stream, as Redis has it.
fn stream_key(redis: &Redis) -> String {
    redis.cli(&["keys", "*:s:news"]).trim().to_owned()
}

/// One sentinel that watches a master, and makes a replica the master soon after it is gone.
fn sentinel(master: u16) -> Redis {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let file = folder.path().join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master} 1\n\
         sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel").arg("--dir").arg(folder.path());
    let server = Some(Server::start(&mut command, port));
    Redis { server, port, folder, more: Vec::new() }
}

#[test]
fn partitions_that_move_in_a_cluster_are_heard_where_they_are() {
    if !have_redis("partitions_that_move_in_a_cluster_are_heard_where_they_are") {
        return;
    }
    let servers = cluster();
    let mut stage = Stage::new(&cluster_address(&servers));
    stage.publish(30);
    let [from, to] =
        [&servers[1], &servers[2]].map(|server| server.cli(&["cluster", "myid"]).trim().to_owned());
    let mut reshard = Command::new("redis-cli");
    reshard.args(["--cluster", "reshard", &format!("127.0.0.1:{}", servers[0].port)]);
    reshard.args(["--cluster-from", &from, "--cluster-to", &to]);
    reshard.args(["--cluster-slots", "5462", "--cluster-yes"]);
    let mut moving = reshard.stdout(std::process::Stdio::null()).spawn().unwrap();
    while moving.try_wait().unwrap().is_none() {
        stage.publish(5);
    }
    stage.publish(30);
    let accepted = stage.accepted.len();
    let count = stage.end("a third of a cluster's slots moved");
    assert_eq!((count.delivered, count.named), (accepted, 0));
}

#[test]
fn a_master_of_a_cluster_that_dies_is_followed_by_its_replica() {
    if !have_redis("a_master_of_a_cluster_that_dies_is_followed_by_its_replica") {
        return;
    }
    let mut servers = cluster_of(1);
    let mut stage = Stage::new(&cluster_address(&servers));
    stage.publish(30);
    let is_master = |server: &Redis| server.cli(&["role"]).starts_with("master");
    let has_it = |server: &Redis| !stream_key(server).is_empty();
    let followed = |servers: &[Redis]| servers.iter().filter(|server| has_it(server)).count() == 2;
    wait(&mut stage.site, "the replica", || followed(&servers).then_some(()));
    let master = servers.iter().position(|server| is_master(server) && has_it(server)).unwrap();
    servers[master].kill();
    stage.publish(30);
    let count = stage.end("a master of a cluster died");
    assert_eq!((count.delivered, count.gaps, count.named), (60, 1, 0));
}
