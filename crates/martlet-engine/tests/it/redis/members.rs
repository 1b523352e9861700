//! Nodes as members of a cluster: who is alive, who is dead, what becomes of their members, and
//! what they say to each other.

use std::collections::BTreeSet;

use bytes::Bytes;
use martlet_core::model::{ClientId, NodeId, UnixMillis};
use martlet_core::port::{Engine as _, News, Store as _, StoreRequest, StoreTicket};
use martlet_core::presence::{Member, Moved};
use martlet_core::time::{Instant, Now};
use martlet_engine::cluster::{Beat, Cluster as _, Heard, To};
use martlet_engine::redis::{Member as Node, join};
use martlet_engine::remote::Remote;

use super::*;
use crate::node::channel;
use crate::site::PATIENCE;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);
const NOW: Now = Now { instant: Instant(0), wall: UnixMillis(0) };

/// Runs a test's future with tasks of its thread.
fn run_test(test: impl Future<Output = ()>) {
    let options = tokio::runtime::LocalOptions::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(options);
    runtime.unwrap().block_on(test);
}

/// Waits until there is something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("{what} did not come"))
}

async fn joined(address: &str, number: u32) -> (Node, Heard) {
    join(Settings::parse(address).unwrap(), NodeId::new(number)).await.unwrap()
}

async fn beat(node: &Node, lease: Duration) -> Beat {
    node.beat(lease, Bytes::from_static(b"about")).await.unwrap()
}

fn alive(beat: &Beat) -> BTreeSet<u32> {
    beat.alive.iter().map(|alive| alive.node.bits()).collect()
}

/// The engine of a node, working.
fn engine(address: &str, number: u32) -> Remote {
    let (near, far) = Remote::new();
    let settings = Settings::parse(address).unwrap().with_seed(number.into());
    tokio::task::spawn_local(run(settings, NodeId::new(number), far));
    near
}

fn member(client: u64) -> Member {
    Member { client: ClientId::new(client), user: None, info: None }
}

async fn ask(engine: &mut Remote, request: StoreRequest) {
    engine.submit(NOW, StoreTicket(1), request);
    engine.flush();
    until("an answer", async || engine.poll_reply()).await;
}

#[test]
fn who_does_not_say_that_it_lives_is_dead_and_may_come_back() {
    if !have_redis("who_does_not_say_that_it_lives_is_dead_and_may_come_back") {
        return;
    }
    let redis = Redis::start(&[]);
    run_test(async {
        let (first, _heard) = joined(&redis.address(), 1).await;
        let (second, _heard) = joined(&redis.address(), 2).await;
        assert_eq!(alive(&beat(&first, LONG).await), BTreeSet::from([1]));
        let beaten = beat(&second, SHORT).await;
        assert_eq!((alive(&beaten), beaten.forgotten), (BTreeSet::from([1, 2]), false));
        let gone = async || (alive(&beat(&first, LONG).await).len() == 1).then_some(());
        until("the second's end", gone).await;
        let beaten = beat(&second, LONG).await;
        assert_eq!((alive(&beaten), beaten.forgotten), (BTreeSet::from([1, 2]), true));
        assert!(!beat(&second, LONG).await.forgotten, "it is told once");
    });
}

#[test]
fn the_members_of_a_dead_node_leave_once_and_no_others() {
    if !have_redis("the_members_of_a_dead_node_leave_once_and_no_others") {
        return;
    }
    let redis = Redis::start(&[]);
    run_test(async {
        let address = redis.address();
        let (first, _heard) = joined(&address, 1).await;
        let (second, _heard) = joined(&address, 2).await;
        beat(&first, LONG).await;
        beat(&second, SHORT).await;
        let (mut here, mut there) = (engine(&address, 1), engine(&address, 2));
        let room = channel("room");
        here.follow(&room);
        for client in 0..50 {
            let enter =
                |client| StoreRequest::Enter { channel: room.clone(), member: member(client) };
            ask(&mut there, enter(client)).await;
        }
        // One of them has come to this node by now.
        ask(&mut here, StoreRequest::Enter { channel: room.clone(), member: member(7) }).await;
        let mut left = Vec::new();
        until("the leaves", async || {
            beat(&first, LONG).await;
            while let Some(news) = here.poll_news() {
                if let News::Moved(_, Moved::Leave(member)) = news {
                    left.push(member.client.bits());
                }
            }
            (left.len() >= 49).then_some(())
        })
        .await;
        left.sort_unstable();
        assert_eq!(left, (0..50).filter(|client| *client != 7).collect::<Vec<_>>());
        assert_eq!(redis.cli(&["hlen", redis.cli(&["keys", "*:w:room"]).trim()]).trim(), "1");
    });
}

#[test]
fn when_the_server_was_away_nobody_is_dead() {
    if !have_redis("when_the_server_was_away_nobody_is_dead") {
        return;
    }
    let redis = Redis::start(&[]);
    run_test(async {
        let (first, _heard) = joined(&redis.address(), 1).await;
        let (second, _heard) = joined(&redis.address(), 2).await;
        beat(&first, SHORT).await;
        beat(&second, SHORT).await;
        redis.server.as_ref().unwrap().freeze();
        tokio::time::sleep(SHORT * 2).await;
        redis.server.as_ref().unwrap().thaw();
        let beaten = beat(&first, LONG).await;
        assert_eq!((alive(&beaten), beaten.forgotten), (BTreeSet::from([1, 2]), false));
        assert!(!beat(&second, LONG).await.forgotten);
    });
}

#[test]
fn nodes_speak_to_one_and_to_all_in_order() {
    if !have_redis("nodes_speak_to_one_and_to_all_in_order") {
        return;
    }
    for cluster_of in [false, true] {
        let servers = if cluster_of { cluster() } else { vec![Redis::start(&[])] };
        let address = if cluster_of { cluster_address(&servers) } else { servers[0].address() };
        run_test(async {
            let (first, mut by_first) = joined(&address, 1).await;
            let (_second, mut by_second) = joined(&address, 2).await;
            for n in 0..50 {
                first.say(To::Node(NodeId::new(2)), Bytes::from(format!("{n}")));
            }
            first.say(To::All, Bytes::from_static(b"all"));
            let mut heard = Vec::new();
            while heard.len() < 51 {
                heard
                    .push(tokio::time::timeout(PATIENCE, by_second.recv()).await.unwrap().unwrap());
            }
            assert!((0..50).all(|n| heard[n] == n.to_string()) && heard[50] == "all", "{heard:?}");
            assert_eq!(by_first.recv().await.unwrap(), "all");
        });
    }
}

#[test]
fn all_agree_on_what_the_first_proposed() {
    if !have_redis("all_agree_on_what_the_first_proposed") {
        return;
    }
    let redis = Redis::start(&[]);
    run_test(async {
        let (first, _heard) = joined(&redis.address(), 1).await;
        let (second, _heard) = joined(&redis.address(), 2).await;
        assert_eq!(first.agree("secret", Bytes::from_static(b"a")).await.unwrap(), "a");
        assert_eq!(second.agree("secret", Bytes::from_static(b"b")).await.unwrap(), "a");
    });
}
