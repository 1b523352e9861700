//! The contract of engines, held against Redis.

use martlet_sim::contract::keep_all_promises;

use super::*;

#[test]
fn one_redis_keeps_all_promises() {
    if !have_redis("one_redis_keeps_all_promises") {
        return;
    }
    let redis = Redis::start(&[]);
    let kept = keep_all_promises(&mut site(&redis.address()));
    eprintln!("{kept} promises kept by one Redis");
}

#[test]
fn a_cluster_keeps_all_promises() {
    if !have_redis("a_cluster_keeps_all_promises") {
        return;
    }
    let servers = cluster();
    let kept = keep_all_promises(&mut site(&cluster_address(&servers)));
    eprintln!("{kept} promises kept by a cluster of Redis");
}
