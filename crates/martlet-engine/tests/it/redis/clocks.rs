//! Nodes whose clocks are wrong: what Redis numbers and dates is the same as if they were right.

use martlet_core::model::{Appended, UnixMillis};
use martlet_core::session::Reply;
use martlet_core::time::Now;
use martlet_sim::contract::Site as _;

use super::*;
use crate::node::{Node, judge};
use crate::site::wait;

const HOUR: u64 = 3_600_000;

/// What a node's clock says when it is so: an hour fast, right, or two hours slow.
fn wrong(which: usize, now: Now) -> Now {
    let UnixMillis(wall) = now.wall;
    Now { wall: UnixMillis([wall + HOUR, wall, wall - 2 * HOUR][which]), ..now }
}

/// Publishes by a node that knows only its own clock.
fn publish(site: &mut Remotes, nodes: &mut [Node; 3], by: usize, key: &str) -> Appended {
    let clock = site.clock();
    let number = nodes[by].begin_publish(wrong(by, clock()), "news", key);
    wait(site, "a receipt", || {
        for (which, node) in nodes.iter_mut().enumerate() {
            node.work(wrong(which, clock()));
        }
        match nodes[by].reply(number)? {
            Reply::Published(appended) => Some(appended),
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn wrong_clocks_change_neither_order_nor_times_nor_what_is_kept() {
    if !have_redis("wrong_clocks_change_neither_order_nor_times_nor_what_is_kept") {
        return;
    }
    let redis = Redis::start(&[]);
    let mut site = site(&redis.address());
    let mut nodes = [1, 2, 3].map(|number| Node::new(&mut site, number));
    nodes.iter_mut().for_each(|node| node.follow(&mut site, "news"));
    let begun = site.now().wall;
    let accepted: Vec<_> = (0..90)
        .map(|number| publish(&mut site, &mut nodes, number % 3, &format!("key{number}")))
        .collect();
    let ended = site.now().wall;
    // Redis and this test have the same clock, but for the rounding.
    let right = |time: UnixMillis| begun <= time.plus_ms(2) && time <= ended.plus_ms(2);
    assert!(accepted.iter().all(|appended| right(appended.time)), "a node's clock got in");
    assert!(accepted.is_sorted_by_key(|appended| (appended.time, appended.position.offset)));
    assert!(accepted.is_sorted_by_key(|appended| appended.id), "ids sort by time");
    // What another clock thinks to be two hours old is neither forgotten nor dropped.
    let (clock, last) = (site.clock(), accepted.len());
    wait(&mut site, "everything", || {
        for (which, node) in nodes.iter_mut().enumerate() {
            node.work(wrong(which, clock()));
        }
        nodes.iter().all(|node| node.heard("news").len() >= last).then_some(())
    });
    for node in &nodes {
        let count = judge(&node.heard("news"), &accepted);
        assert_eq!((count.delivered, count.gaps), (90, 0));
    }
    eprintln!(
        "clocks an hour fast and two hours slow: 90 accepted, 90 delivered to each of 3, no gap"
    );
}
