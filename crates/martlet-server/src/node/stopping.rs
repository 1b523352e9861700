//! The end of a node: at once, or by letting its clients go. What a stage is, `drain` says; the
//! workers' part is in `worker::leaving`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::Node;
use crate::config::Elsewhere;
use crate::drain::{Plan, Stage};
use crate::handover::Listeners;
use crate::mail::Mail;

/// How often a node that lets its clients go says how many are left.
const REPORT: Duration = Duration::from_secs(5);

impl Node {
    /// Waits until somebody asks by the API that the node be drained.
    pub async fn asked_to_drain(&self) -> Plan {
        self.site.drain.asked().await
    }

    /// Stops without more ado: gives clients who are behind half of `grace` to catch up, tells
    /// every client when to come back, and waits for them to go, but no longer than `grace`. Says
    /// how many had not gone.
    pub async fn stop(self, grace: Duration) -> usize {
        self.drain(Plan::at_once(grace)).await
    }

    /// Lets the clients go and stops: says that it is not ready and sends newcomers elsewhere;
    /// where others serve, waits until that is known and lets the clients go evenly; then accepts
    /// nothing more, tells those who are left when to come back, and waits for them to go, but no
    /// longer than the plan says. Says how many had not gone.
    pub async fn drain(mut self, plan: Plan) -> usize {
        let listeners = self.giver.listeners.take();
        let left = {
            let letting_go = self.let_go(plan, listeners);
            tokio::select! {
                left = letting_go => left,
                never = self.report() => match never {},
            }
        };
        self.site.mailboxes.send_all(|| Mail::Exit);
        if let Some(member) = self.member {
            member.leave().await;
        }
        let joined = tokio::task::spawn_blocking(move || {
            self.threads.into_iter().for_each(|thread| {
                if thread.join().is_err() {
                    tracing::error!("a thread of the node had panicked");
                }
            });
        });
        let _ = joined.await;
        left
    }

    async fn let_go(&self, plan: Plan, listeners: Listeners) -> usize {
        let (site, others) = (&self.site, self.site.reach.others());
        site.drain.begins_with(self.connected().await);
        site.drain.enter(Stage::Waiting);
        others.drain();
        let serving = others.serving();
        let nodes: Arc<[_]> = serving.iter().filter_map(|about| about.address.clone()).collect();
        site.mailboxes.send_all(|| Mail::Depart(nodes.clone()));
        if plan.elsewhere == Elsewhere::Always || !serving.is_empty() {
            tracing::info!(nodes = serving.len(), "others serve; newcomers are sent to them");
            tokio::time::sleep(plan.wait).await;
            site.drain.enter(Stage::LettingGo);
            // A worker that is gone has no clients.
            let _ = site.mailboxes.ask_all(|done| Mail::LetGo(plan.over, done)).await;
        }
        // A socket that others share stays open for them.
        drop(listeners);
        site.drain.enter(Stage::Ending);
        let all = site.mailboxes.ask_all(|emptied| Mail::Stop(plan.catch_up, emptied));
        let gone = tokio::time::timeout(plan.force, all).await.is_ok();
        if gone { 0 } else { self.connected().await }
    }

    /// Says from time to time how many are still there.
    async fn report(&self) -> Infallible {
        loop {
            tokio::time::sleep(REPORT).await;
            let (left, stage) = (self.connected().await, self.site.drain.stage());
            let of = self.site.drain.began_with();
            tracing::info!(stage = stage.name(), left, of, "clients are let go");
        }
    }

    async fn connected(&self) -> usize {
        let stats = self.site.mailboxes.ask_all(Mail::Stats).await.unwrap_or_default();
        stats.iter().map(|stats| stats.attached).sum()
    }

    /// Stops because a successor serves: clients are told to come back, and find that one. Where
    /// the histories went with it nobody hears anything new here, and so all go at once and nobody
    /// is waited for; else they go evenly.
    pub async fn stop_for_successor(self, plan: Plan) -> usize {
        let plan = match self.giver.memory {
            true => Plan { catch_up: Duration::ZERO, ..Plan::at_once(plan.force) },
            false => Plan { wait: Duration::ZERO, elsewhere: Elsewhere::Always, ..plan },
        };
        self.drain(plan).await
    }
}
