//! What happens to nodes, and what their clients see of it.

use super::*;
use crate::command::bench::storm::plan::RETURN_MIN;

impl World<'_> {
    /// A node that has said for a while that it is not ready begins to let its clients go.
    pub(super) fn drain(&mut self, now: Instant, which: u32) {
        let drains: Vec<Drain> = self.nodes[which as usize]
            .workers
            .iter()
            .map(|worker| self.new_drain(now, worker.live.len()))
            .collect();
        let node = &mut self.nodes[which as usize];
        node.open = false;
        node.workers.iter_mut().zip(drains).for_each(|(worker, drain)| worker.drain = Some(drain));
        let present = node.workers.iter().map(|worker| worker.live.len() as u64).sum();
        self.count_gone(present);
        self.agenda.put(now, What::Round, which);
    }

    /// The next ones go, each told to come back within a round.
    pub(super) fn round(&mut self, now: Instant, which: u32) {
        let workers = self.nodes[which as usize].workers.len();
        let mut over = true;
        for worker in 0..workers {
            let worker = &mut self.nodes[which as usize].workers[worker];
            let Some(drain) = worker.drain else { continue };
            let count = drain.handle_round(now, worker.live.len());
            let going = worker.live.split_off(worker.live.len() - count);
            over &= worker.live.is_empty() && worker.shaking == 0 && drain.ends() <= now;
            self.tell(now, &going, Duration::ZERO, Drain::ROUND);
        }
        if !over {
            return self.agenda.put(now.after(Drain::ROUND), What::Round, which);
        }
        self.nodes[which as usize].end();
        self.may_rise(now, which);
    }

    /// These are let go, and told to come back after this time, evenly over that.
    fn tell(&mut self, now: Instant, going: &[u32], after: Duration, over: Duration) {
        for (i, who) in going.iter().enumerate() {
            let share = (i as f64 + self.random.f64()) / going.len() as f64;
            let told = now.after(self.gone(now, *who).way());
            self.lose(told, *who, Loss::Told(Some(after + over.mul_f64(share))));
        }
    }

    /// A node tells all its clients at once that it closes, and ends. Martlet's, which is alone
    /// then, tells each when to come back.
    pub(super) fn stop(&mut self, now: Instant, which: u32) {
        let going = self.nodes[which as usize].end();
        self.count_gone(going.len() as u64);
        match self.plan.server {
            Server::Martlet => {
                self.tell(now, &going, RETURN_MIN, self.plan.spread(going.len() as u64));
            }
            Server::AllAtOnce => going.iter().for_each(|who| {
                let told = now.after(self.gone(now, *who).way());
                self.lose(told, *who, Loss::Told(None));
            }),
        }
        self.may_rise(now, which);
    }

    /// A node is killed: the kernel resets its connections.
    pub(super) fn kill(&mut self, now: Instant, which: u32) {
        let going = self.nodes[which as usize].end();
        self.count_gone(going.len() as u64);
        for who in going {
            let heard = now.after(self.gone(now, who).way());
            self.lose(heard, who, Loss::Cut);
        }
    }

    /// A node is gone with its kernel: clients find out when they have waited for a sign of it.
    pub(super) fn vanish(&mut self, now: Instant, which: u32) {
        let going = self.nodes[which as usize].end();
        self.count_gone(going.len() as u64);
        let [least, most] = self.plan.conditions.silence;
        for who in going {
            let silence = least + most.saturating_sub(least).mul_f64(self.random.f64());
            self.gone(now, who);
            self.lose(now.after(silence), who, Loss::Cut);
        }
    }

    /// A node is there again. In a rolling restart the next one has its turn.
    pub(super) fn rise(&mut self, now: Instant, which: u32) {
        self.nodes[which as usize].rise(self.plan);
        let next = which + 1;
        if self.plan.scenario == Scenario::Rolling && next < self.plan.nodes() {
            let stop = match self.plan.server {
                Server::Martlet => What::Drain,
                Server::AllAtOnce => What::Stop,
            };
            self.agenda.put(now.after(self.plan.conditions.away), stop, next);
        }
    }

    /// A node that stopped is started again, where that is what happens.
    fn may_rise(&mut self, now: Instant, which: u32) {
        if matches!(self.plan.scenario, Scenario::Rolling | Scenario::Restart) {
            self.agenda.put(now.after(self.plan.conditions.away), What::Rise, which);
        }
    }

    fn count_gone(&mut self, count: u64) {
        self.counted.gone += count;
        self.counted.most_gone = self.counted.most_gone.max(count);
    }
}
