//! A cluster of Redis as a worker uses it: a shore for each master, and which partition is whose.
//! When that changes, channels are heard from where they are now, and doubted.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use martlet_core::model::{ChannelName, NodeId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Settings;
use super::keys::{PARTITIONS, Partition};
use super::link::{Host, ask_cluster};
use super::shore::{Shore, Where};
use super::source::{Source, Told};
use crate::remote::{FarEnd, Inbox, Order};

/// How often the cluster is asked who has what, and how soon again while something is wrong.
const LOOK: Duration = Duration::from_secs(10);
const LOOK_SOON: Duration = Duration::from_millis(250);

/// The shores, and what each partition wants to hear.
struct Router {
    settings: Settings,
    node: NodeId,
    inbox: Rc<Inbox>,
    shores: HashMap<Host, mpsc::UnboundedSender<Told>>,
    hosts: Option<[Host; PARTITIONS]>,
    followed: Vec<BTreeSet<ChannelName>>,
    lost: mpsc::UnboundedSender<()>,
    /// Orders that came before it was known who has what.
    early: Vec<Order>,
}

/// Works until the worker ends.
pub(super) async fn run(settings: Settings, node: NodeId, far: FarEnd) {
    let FarEnd { mut orders, inbox } = far;
    let (lost, mut losses) = mpsc::unbounded_channel();
    let mut router = Router {
        settings,
        node,
        inbox,
        shores: HashMap::new(),
        hosts: None,
        followed: vec![BTreeSet::new(); PARTITIONS],
        lost,
        early: Vec::new(),
    };
    let mut next = Instant::now();
    loop {
        tokio::select! {
            orders = orders.recv() => match orders {
                Some(orders) => router.take(orders),
                None => return,
            },
            _ = losses.recv() => next = next.min(Instant::now() + LOOK_SOON),
            () = tokio::time::sleep_until(next) => next = Instant::now() + router.look().await,
        }
    }
}

impl Router {
    fn take(&mut self, orders: Vec<Order>) {
        for order in &orders {
            match order {
                Order::Follow(channel) => {
                    self.followed[Partition::of(channel).index()].insert(channel.clone());
                }
                Order::Unfollow(channel) => {
                    self.followed[Partition::of(channel).index()].remove(channel);
                }
                Order::Ask(..) => {}
            }
        }
        match self.hosts {
            Some(_) => self.deal(orders),
            None => self.early.extend(orders),
        }
    }

    /// Gives each shore what is for it.
    fn deal(&mut self, orders: Vec<Order>) {
        let Some(hosts) = &self.hosts else { return };
        let mut shares: HashMap<&Host, Vec<Order>> = HashMap::new();
        for order in orders {
            let partition = match &order {
                Order::Follow(channel) | Order::Unfollow(channel) => Partition::of(channel),
                Order::Ask(_, request) => Partition::of(request.channel()),
            };
            shares.entry(&hosts[partition.index()]).or_default().push(order);
        }
        for (host, share) in shares {
            if let Some(shore) = self.shores.get(host) {
                // A shore ends only when it is let go of.
                let _ = shore.send(Told::Orders(share));
            }
        }
    }

    /// Asks who has what. Says when to ask again.
    async fn look(&mut self) -> Duration {
        match ask_cluster(&self.settings).await.ok().and_then(|topology| topology.hosts()) {
            Some(hosts) => {
                self.settle(hosts);
                LOOK
            }
            None => LOOK_SOON,
        }
    }

    fn settle(&mut self, hosts: [Host; PARTITIONS]) {
        let before = self.hosts.replace(hosts.clone());
        for partition in Partition::all() {
            let host = &hosts[partition.index()];
            if !self.shores.contains_key(host) {
                self.begin(host.clone(), partition);
            }
            let was = before.as_ref().map(|before| &before[partition.index()]);
            if let Some(was) = was.filter(|was| *was != host) {
                self.move_partition(partition, was, host);
            }
        }
        self.shores.retain(|host, _| hosts.contains(host));
        let early = std::mem::take(&mut self.early);
        self.deal(early);
    }

    fn begin(&mut self, host: Host, partition: Partition) {
        let (told, orders) = mpsc::unbounded_channel();
        let at = Where::Cluster(host.clone(), partition);
        let (settings, inbox) = (self.settings.clone(), Rc::clone(&self.inbox));
        let shore =
            Shore::new(settings, at, self.node, inbox, Source::Router(orders), self.lost.clone());
        tokio::task::spawn_local(shore.run());
        self.shores.insert(host, told);
    }

    fn move_partition(&self, partition: Partition, from: &Host, to: &Host) {
        let channels: Vec<_> = self.followed[partition.index()].iter().cloned().collect();
        let leave = channels.iter().cloned().map(Order::Unfollow).collect();
        if let Some(shore) = self.shores.get(from) {
            let _ = shore.send(Told::Orders(leave));
        }
        if let Some(shore) = self.shores.get(to) {
            let _ = shore.send(Told::TakeOver(channels));
        }
    }
}
