//! A cluster and its clients on a virtual clock. The machines in it are the real ones: sessions,
//! admission, drain, and the clients' waits. The network, the balancer and the time that work
//! takes are simulated: a client has a round trip of its own, the balancer sends it to any node
//! that takes clients, the node's kernel to any worker, and a worker does one thing at a time.

use std::time::Duration;

use fastrand::Rng;
use hdrhistogram::Histogram;
use martlet_core::crowd::{Arrival, Drain};
use martlet_core::time::Instant;

use super::agenda::{Agenda, What};
use super::entrance::Entrance;
use super::flow::Flow;
use super::plan::{BEGIN, END, OUTAGE, Plan, ROUND_TRIPS, Scenario, Server};
use super::policy::{Loss, Policy};
use crate::command::bench::board::histogram;

mod node;
#[cfg(test)]
mod tests;
mod trouble;

use node::Node;

/// What was counted.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Clients that reached a worker.
    pub arrivals: Flow,
    /// Clients that were let in.
    pub let_in: Flow,
    /// Handshakes that began, less those that ended.
    pub shaking: Flow,
    /// Clients that were told that they are connected.
    pub back: Flow,
    /// Connections that were lost, and the most that one node lost.
    pub gone: u64,
    /// The same of the node that lost the most.
    pub most_gone: u64,
    /// How long each client was not connected, in nanoseconds.
    pub away: Histogram<u64>,
    /// How often clients tried until they were let in: all of them, and the one that did most.
    pub tries: u64,
    /// The most of one client.
    pub most_tries: u32,
    /// Clients that were let in and have never come back.
    pub never: u64,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            arrivals: Flow::default(),
            let_in: Flow::default(),
            shaking: Flow::default(),
            back: Flow::default(),
            gone: 0,
            most_gone: 0,
            away: histogram(),
            tries: 0,
            most_tries: 0,
            never: 0,
        }
    }
}

/// A client.
#[derive(Debug)]
struct Client {
    policy: Policy,
    round_trip: Duration,
    lost_at: Instant,
    begun: Instant,
    tries: u32,
    live: bool,
    /// Where it is, or where it is on its way to.
    node: u32,
    worker: u32,
    /// Which life of the node that is.
    life: u32,
}

impl Client {
    /// How long something takes to it, or from it.
    fn way(&self) -> Duration {
        self.round_trip / 2
    }
}

/// The world.
pub struct World<'a> {
    plan: &'a Plan,
    agenda: Agenda,
    clients: Vec<Client>,
    nodes: Vec<Node>,
    entrance: Entrance,
    random: Rng,
    counted: Counted,
}

impl<'a> World<'a> {
    /// Everybody is connected, evenly.
    pub fn new(plan: &'a Plan) -> Self {
        let mut random = Rng::with_seed(plan.conditions.seed);
        let (nodes, workers) = (plan.nodes(), plan.conditions.workers);
        let mut all: Vec<Node> = (0..nodes).map(|_| Node::new(plan)).collect();
        let [least, most] = plan.conditions.round_trip;
        let clients = (0..plan.conditions.sessions).map(|number| {
            let (node, worker) = (number % nodes, number / nodes % workers);
            all[node as usize].workers[worker as usize].live.push(number);
            let mut policy = plan.clients.policy(random.u64(..));
            policy.handle_connected(Instant(0));
            Client {
                policy,
                round_trip: least + most.saturating_sub(least).mul_f64(random.f64()),
                lost_at: Instant(0),
                begun: Instant(0),
                tries: 0,
                live: true,
                node,
                worker,
                life: 0,
            }
        });
        let clients = clients.collect();
        let (agenda, entrance) = (Agenda::default(), Entrance::new());
        let mut world = Self {
            plan,
            agenda,
            clients,
            nodes: all,
            entrance,
            random,
            counted: Counted::default(),
        };
        world.foresee();
        world
    }

    /// What happens to the nodes.
    fn foresee(&mut self) {
        let stop = match self.plan.server {
            Server::Martlet if self.plan.scenario != Scenario::Restart => What::Drain,
            _ => What::Stop,
        };
        match self.plan.scenario {
            Scenario::Drain | Scenario::Rolling | Scenario::Restart => {
                self.agenda.put(BEGIN, stop, 0);
            }
            Scenario::Kill => self.agenda.put(BEGIN, What::Kill, 0),
            Scenario::Vanish => self.agenda.put(BEGIN, What::Vanish, 0),
            Scenario::Outage => {
                for node in 0..self.plan.nodes() {
                    self.agenda.put(BEGIN, What::Kill, node);
                    self.agenda.put(BEGIN.after(OUTAGE), What::Rise, node);
                }
            }
        }
    }

    /// Lives until nothing happens any more, or the world ends.
    pub fn run(mut self) -> Counted {
        while let Some((now, what, who)) = self.agenda.next().filter(|(now, ..)| *now < END) {
            match what {
                What::Begin => self.begin(now, who),
                What::Open => self.open(now, who),
                What::Connect => self.connect(now, who),
                What::Serve => self.serve(now, who),
                What::Drain => self.drain(now, who),
                What::Round => self.round(now, who),
                What::Stop => self.stop(now, who),
                What::Kill => self.kill(now, who),
                What::Vanish => self.vanish(now, who),
                What::Rise => self.rise(now, who),
            }
        }
        self.counted.never = self.clients.iter().filter(|client| !client.live).count() as u64;
        self.counted
    }

    /// A client sets out, by the balancer.
    fn begin(&mut self, now: Instant, who: u32) {
        let client = &mut self.clients[who as usize];
        if let Err(wait) = client.policy.permit(now) {
            return self.agenda.put(now.after(wait), What::Begin, who);
        }
        client.tries += 1;
        client.begun = now;
        let open = self.nodes.iter().filter(|node| node.open).count();
        if open == 0 {
            let answered = now.after(client.round_trip);
            return self.lose(answered, who, Loss::Cut);
        }
        let chosen = self.random.usize(..open);
        let mut all = self.nodes.iter().enumerate().filter(|(_, node)| node.open);
        let Some((node, found)) = all.nth(chosen) else { return };
        (client.node, client.life) = (node as u32, found.life);
        client.worker = self.random.usize(..found.workers.len()) as u32;
        let reached = now.after(client.way());
        self.counted.arrivals.add(reached, 1);
        self.counted.shaking.add(reached, 1);
        let opened = reached.after(client.round_trip * ROUND_TRIPS);
        self.agenda.put(opened, What::Open, who);
    }

    /// A session is opened for a client, unless too many have yet to say who they are.
    fn open(&mut self, now: Instant, who: u32) {
        let client = &self.clients[who as usize];
        let (heard, ready) = (now.after(client.way()), now.after(client.round_trip));
        let Some(node) = self.nodes[client.node as usize].alive(client.life) else {
            return self.break_off(now, who);
        };
        let worker = &mut node.workers[client.worker as usize];
        if worker.shaking >= self.plan.handshakes() {
            let random = self.random.u64(..);
            let after = worker.admission.put_off(now, Arrival::Newcomer, random);
            self.counted.shaking.add(now, -1);
            return self.lose(heard, who, Loss::Told(Some(after)));
        }
        worker.shaking += 1;
        self.agenda.put(ready, What::Connect, who);
    }

    /// A handshake ends because its node has.
    fn break_off(&mut self, now: Instant, who: u32) {
        self.counted.shaking.add(now, -1);
        let heard = now.after(self.clients[who as usize].way());
        self.lose(heard, who, Loss::Cut);
    }

    fn connect(&mut self, now: Instant, who: u32) {
        let client = &self.clients[who as usize];
        let gives_up = client.begun.after(self.plan.conditions.patience);
        let Some(node) = self.nodes[client.node as usize].alive(client.life) else {
            return self.break_off(now, who);
        };
        let worker = &mut node.workers[client.worker as usize];
        worker.free_at = worker.free_at.max(now).after(self.plan.conditions.work);
        let served = worker.free_at;
        if served.after(client.way()) <= gives_up {
            return self.agenda.put(served, What::Serve, who);
        }
        // The worker has the work all the same: that is how a herd keeps a server down.
        worker.shaking -= 1;
        self.counted.shaking.add(served, -1);
        self.lose(gives_up.max(now), who, Loss::Cut);
    }

    fn serve(&mut self, now: Instant, who: u32) {
        let client = &self.clients[who as usize];
        let heard = now.after(client.way());
        let Some(node) = self.nodes[client.node as usize].alive(client.life) else {
            return self.break_off(now, who);
        };
        self.counted.shaking.add(now, -1);
        let worker = &mut node.workers[client.worker as usize];
        worker.shaking -= 1;
        let grant = self.entrance.grant(who);
        let random = self.random.u64(..);
        match self.entrance.arrive(now, who, grant, &mut worker.admission, random) {
            Ok(()) => {
                worker.live.push(who);
                self.counted.let_in.add(now, 1);
                self.welcome(heard, who);
            }
            Err(close) => self.lose(heard, who, Loss::Told(close.after)),
        }
    }

    /// A client hears that it is connected.
    fn welcome(&mut self, now: Instant, who: u32) {
        let client = &mut self.clients[who as usize];
        client.policy.handle_connected(now);
        client.live = true;
        let away = u64::try_from(now.since(client.lost_at).as_nanos()).unwrap_or(u64::MAX);
        self.counted.away.saturating_record(away);
        self.counted.back.add(now, 1);
        self.counted.most_tries = self.counted.most_tries.max(client.tries);
        self.counted.tries += u64::from(client.tries);
    }

    /// A client finds out, at this moment, that it has no connection.
    fn lose(&mut self, now: Instant, who: u32, loss: Loss) {
        if let Some(wait) = self.clients[who as usize].policy.handle_lost(now, loss) {
            self.agenda.put(now.after(wait), What::Begin, who);
        }
    }

    /// A client's connection is gone; it will find out.
    fn gone(&mut self, now: Instant, who: u32) -> &Client {
        let client = &mut self.clients[who as usize];
        (client.lost_at, client.tries, client.live) = (now, 0, false);
        client
    }

    fn new_drain(&self, now: Instant, sessions: usize) -> Drain {
        Drain::new(now, self.plan.conditions.over, sessions)
    }
}
