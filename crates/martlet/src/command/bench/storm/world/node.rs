//! The nodes of the world, and their workers.

use martlet_core::crowd::{Admission, Drain};
use martlet_core::time::Instant;

use super::Plan;

/// A node.
#[derive(Debug)]
pub struct Node {
    /// Whether the balancer sends clients to it.
    pub open: bool,
    /// How often it has ended.
    pub life: u32,
    /// Its workers; none while it is away.
    pub workers: Vec<Worker>,
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    /// Who is let in.
    pub admission: Admission,
    /// Who is let go, while it drains.
    pub drain: Option<Drain>,
    /// Who is connected.
    pub live: Vec<u32>,
    /// How many shake hands.
    pub shaking: u32,
    /// When it has done what there was to do.
    pub free_at: Instant,
}

impl Node {
    /// One that has just begun.
    pub fn new(plan: &Plan) -> Self {
        let mut node = Self { open: true, life: 0, workers: Vec::new() };
        node.rise(plan);
        node
    }

    /// Begins anew, with nobody.
    pub fn rise(&mut self, plan: &Plan) {
        let worker = |_| Worker {
            admission: Admission::new(plan.rate()),
            drain: None,
            live: Vec::new(),
            shaking: 0,
            free_at: Instant(0),
        };
        self.workers = (0..plan.conditions.workers).map(worker).collect();
        self.open = true;
    }

    /// Ends. Says who was there.
    pub fn end(&mut self) -> Vec<u32> {
        self.open = false;
        self.life += 1;
        self.workers.drain(..).flat_map(|worker| worker.live).collect()
    }

    /// The node, if this is the life it is in.
    pub fn alive(&mut self, life: u32) -> Option<&mut Self> {
        (self.life == life && !self.workers.is_empty()).then_some(self)
    }
}
