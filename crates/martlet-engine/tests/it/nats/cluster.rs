//! Nodes on one server as a cluster: who lives, what is said, and what becomes of the members of
//! the dead.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use martlet_core::model::{ChannelName, ClientId, NodeId};
use martlet_core::port::{Engine, News, Store, StoreReply, StoreRequest, StoreTicket};
use martlet_core::presence::{Member, Moved};
use martlet_core::time::Now;
use martlet_engine::cluster::{Cluster as _, Heard, To};
use martlet_engine::nats::{Cluster, Settings, Storage, join, run};
use martlet_engine::remote::Remote;
use tokio::runtime::{Builder, LocalOptions};
use tokio::time::{sleep, timeout};

use super::server::Server;

const LEASE: Duration = Duration::from_millis(1_500);
const PATIENCE: Duration = Duration::from_secs(10);

fn run_local(what: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.unwrap().block_on(what);
}

fn node(number: u32) -> NodeId {
    NodeId::new(number)
}

async fn joined(settings: &Settings, number: u32) -> (Cluster, Heard) {
    join(settings.clone(), node(number)).await.unwrap()
}

async fn beat(cluster: &Cluster, about: &'static str) -> (Vec<u32>, bool) {
    let beat = cluster.beat(LEASE, Bytes::from_static(about.as_bytes())).await.unwrap();
    (beat.alive.iter().map(|alive| alive.node.bits()).collect(), beat.forgotten)
}

/// A node's engine, which is asked one thing at a time.
struct Asked {
    engine: Remote,
    news: Vec<News>,
}

impl Asked {
    fn of(settings: &Settings, number: u32) -> Self {
        let (engine, far) = Remote::new();
        tokio::task::spawn_local(run(settings.clone(), node(number), far));
        Self { engine, news: Vec::new() }
    }

    async fn ask(&mut self, request: StoreRequest) -> StoreReply {
        self.engine.submit(Now::default(), StoreTicket(1), request);
        self.engine.flush();
        let inbox = self.engine.inbox();
        loop {
            if let Some((_, reply)) = self.engine.poll_reply() {
                return reply;
            }
            timeout(PATIENCE, inbox.arrived()).await.unwrap();
        }
    }

    async fn enter(&mut self, channel: &ChannelName, client: u64) {
        let member = Member { client: ClientId::new(client), user: None, info: None };
        let request = StoreRequest::Enter { channel: channel.clone(), member };
        assert_eq!(self.ask(request).await, StoreReply::Done);
    }

    async fn members(&mut self, channel: &ChannelName) -> Vec<u64> {
        let request = StoreRequest::Members { channel: channel.clone(), limit: 100 };
        match self.ask(request).await {
            StoreReply::Members { members, .. } => {
                let mut clients: Vec<_> = members.iter().map(|m| m.client.bits()).collect();
                clients.sort_unstable();
                clients
            }
            other => panic!("{other:?}"),
        }
    }

    /// How often each client was told to have left.
    fn leaves(&mut self) -> BTreeMap<u64, usize> {
        self.news.extend(std::iter::from_fn(|| self.engine.poll_news()));
        let mut leaves = BTreeMap::new();
        for news in &self.news {
            if let News::Moved(_, Moved::Leave(member)) = news {
                *leaves.entry(member.client.bits()).or_default() += 1;
            }
        }
        leaves
    }
}

fn channel() -> ChannelName {
    ChannelName::parse("room:1").unwrap()
}

#[test]
fn whoever_beats_is_alive_and_whoever_does_not_is_dead() {
    let Some(server) = Server::start() else { return };
    run_local(async {
        let settings = server.settings(Storage::File);
        let (a, _heard_a) = joined(&settings, 1).await;
        let (b, _heard_b) = joined(&settings, 2).await;
        assert_eq!(beat(&a, "a").await, (vec![1], false));
        assert_eq!(beat(&b, "b").await, (vec![1, 2], false));
        let about = a.beat(LEASE, Bytes::from_static(b"new")).await.unwrap().alive;
        let about: Vec<_> = about.iter().map(|alive| &*alive.about).collect();
        assert_eq!(about, [&b"new"[..], b"b"]);
        let begun = Instant::now();
        while beat(&a, "a").await.0 != [1] {
            assert!(begun.elapsed() < PATIENCE, "the silent one does not die");
            sleep(Duration::from_millis(100)).await;
        }
        assert!(begun.elapsed() + Duration::from_millis(200) > LEASE, "not before its lease");
        assert_eq!(beat(&b, "b").await, (vec![1, 2], true), "it hears that it was dead");
        assert_eq!(beat(&b, "b").await, (vec![1, 2], false));
        b.leave(Duration::ZERO).await.unwrap();
        assert_eq!(beat(&a, "a").await, (vec![1], false));
    });
}

#[test]
fn what_is_said_is_heard_in_order() {
    let Some(server) = Server::start() else { return };
    run_local(async {
        let settings = server.settings(Storage::File);
        let (a, mut heard_a) = joined(&settings, 1).await;
        let (_b, mut heard_b) = joined(&settings, 2).await;
        for n in 0..2_000u32 {
            let to = if n % 3 == 0 { To::All } else { To::Node(node(2)) };
            a.say(to, Bytes::copy_from_slice(&n.to_be_bytes()));
        }
        for n in 0..2_000u32 {
            let heard = timeout(PATIENCE, heard_b.recv()).await.unwrap().unwrap();
            assert_eq!(*heard, n.to_be_bytes());
        }
        for n in (0..2_000u32).step_by(3) {
            let heard = timeout(PATIENCE, heard_a.recv()).await.unwrap().unwrap();
            assert_eq!(*heard, n.to_be_bytes(), "who says it to all hears it too");
        }
    });
}

#[test]
fn members_of_the_dead_leave_once_and_those_that_moved_stay() {
    let Some(server) = Server::start() else { return };
    run_local(async {
        let settings = server.settings(Storage::File);
        let (a, _heard) = joined(&settings, 1).await;
        let (b, _heard) = joined(&settings, 2).await;
        let (c, _heard) = joined(&settings, 3).await;
        for cluster in [&a, &b, &c] {
            beat(cluster, "").await;
        }
        let (mut on_a, mut on_b) = (Asked::of(&settings, 1), Asked::of(&settings, 2));
        on_a.engine.follow(&channel());
        on_a.enter(&channel(), 10).await;
        for client in 20..60 {
            on_b.enter(&channel(), client).await;
        }
        on_a.enter(&channel(), 20).await;
        let begun = Instant::now();
        while on_a.members(&channel()).await != [10, 20] {
            assert!(begun.elapsed() < PATIENCE, "the dead one's members stay");
            let (beat_a, beat_c) = tokio::join!(beat(&a, ""), beat(&c, ""));
            assert!(!beat_a.1 && !beat_c.1);
            sleep(Duration::from_millis(200)).await;
        }
        sleep(Duration::from_millis(300)).await;
        let leaves = on_a.leaves();
        assert_eq!(leaves, (21..60).map(|client| (client, 1)).collect());
        drop(b);
    });
}

#[test]
fn members_of_a_node_that_leaves_have_its_grace() {
    let Some(server) = Server::start() else { return };
    run_local(async {
        let settings = server.settings(Storage::Memory);
        let (a, _heard) = joined(&settings, 1).await;
        let (b, _heard) = joined(&settings, 2).await;
        beat(&a, "").await;
        beat(&b, "").await;
        let (mut on_a, mut on_b) = (Asked::of(&settings, 1), Asked::of(&settings, 2));
        on_b.enter(&channel(), 20).await;
        on_b.enter(&channel(), 21).await;
        let grace = Duration::from_millis(1_000);
        let begun = Instant::now();
        b.leave(grace).await.unwrap();
        assert_eq!(beat(&a, "").await.0, [1]);
        assert_eq!(on_a.members(&channel()).await, [20, 21]);
        on_a.enter(&channel(), 20).await;
        while on_a.members(&channel()).await != [20] {
            assert!(begun.elapsed() < PATIENCE, "who has left stays");
            beat(&a, "").await;
            sleep(Duration::from_millis(50)).await;
        }
        assert!(begun.elapsed() > grace - Duration::from_millis(50), "not before its grace");
    });
}

#[test]
fn all_agree_on_what_the_first_proposed() {
    let Some(server) = Server::start() else { return };
    let settings = server.settings(Storage::File);
    run_local(async {
        let (first, _heard) = joined(&settings, 1).await;
        let (second, _heard) = joined(&settings, 2).await;
        assert_eq!(first.agree("secret", Bytes::from_static(b"a")).await.unwrap(), "a");
        assert_eq!(second.agree("secret", Bytes::from_static(b"b")).await.unwrap(), "a");
    });
}
