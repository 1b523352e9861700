//! Publications at a steady pace, by the HTTP APIs of some nodes. A channel's publications go by
//! one connection, each when the one before was answered, so that they have an order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use crate::command::bench::api::{Callers, post};
use crate::command::bench::door::Door;
use crate::command::bench::load::write_data;
use crate::failure::Failure;

/// Connections to each node, where there are as many channels. One that is not used is ended by the
/// node.
const CONNECTIONS: usize = 8;

/// Whoever has to wait for so many others has met a server that cannot keep up.
const QUEUE_MAX: usize = 10_000;

/// Publishers at one node.
struct Post {
    door: Door,
    callers: Callers,
    /// What each connection is to publish: channels, and the numbers of publications.
    queues: Vec<VecDeque<(usize, u64)>>,
    busy: Vec<bool>,
}

/// Those who publish.
pub struct Publisher {
    posts: Vec<Post>,
    /// The names of the channels.
    names: Vec<String>,
    pace: Duration,
    payload: usize,
    begun: Instant,
    made: u32,
    stopped: bool,
}

impl Publisher {
    /// Connects to these nodes; `pace` is the time between two publications.
    pub fn connect(
        nodes: &[Door],
        names: Vec<String>,
        pace: Duration,
        payload: usize,
    ) -> Result<Self, Failure> {
        let connections = CONNECTIONS.min(names.len() / nodes.len().max(1)).max(1);
        let post = |door: &Door| {
            let requests = (0..connections).map(|_| Vec::new());
            Ok(Post {
                door: door.clone(),
                callers: Callers::with(door, requests, None)?,
                queues: vec![VecDeque::new(); connections],
                busy: vec![false; connections],
            })
        };
        let posts = nodes.iter().map(post).collect::<Result<Vec<_>, Failure>>()?;
        let begun = Instant::now();
        Ok(Self { posts, names, pace, payload, begun, made: 0, stopped: false })
    }

    /// Begins to publish.
    pub fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// Publishes no more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether everything was published and answered.
    pub fn done(&self) -> bool {
        let idle =
            |post: &Post| !post.callers.calling() && post.queues.iter().all(VecDeque::is_empty);
        self.stopped && self.posts.iter().all(idle)
    }

    /// How long until the next publication is due.
    pub fn due_in(&self) -> Duration {
        let due = self.begun + self.pace * self.made;
        due.saturating_duration_since(Instant::now())
    }

    /// Publishes what is due, and takes answers.
    pub fn turn(&mut self, ledger: &mut Ledger) -> Result<(), Failure> {
        let now = Instant::now();
        while !self.stopped && self.begun + self.pace * self.made <= now {
            let channel = self.made as usize % self.names.len();
            let number = ledger.publish(channel, self.begun + self.pace * self.made);
            let posts = self.posts.len();
            let post = &mut self.posts[channel % posts];
            let connections = post.queues.len();
            let queue = &mut post.queues[channel / posts % connections];
            if queue.len() > QUEUE_MAX {
                return Err(Failure::failed("the nodes do not take what is published"));
            }
            queue.push_back((channel, number));
            self.made += 1;
        }
        for post in &mut self.posts {
            post.turn(&self.names, self.payload)?;
        }
        Ok(())
    }
}

impl Post {
    fn turn(&mut self, names: &[String], payload: usize) -> Result<(), Failure> {
        for (caller, _) in self.callers.turn(Duration::ZERO)? {
            self.busy[caller] = false;
        }
        for caller in 0..self.queues.len() {
            if self.busy[caller] {
                continue;
            }
            let Some((channel, number)) = self.queues[caller].pop_front() else { continue };
            let mut data = Vec::with_capacity(payload);
            write_data(number, payload, &mut data);
            let (key, door) = (self.door.key.as_deref(), &self.door);
            let all = [(names[channel].as_str(), data)];
            self.callers.ask(caller, |request| post::write(door, key, &all, request))?;
            self.busy[caller] = true;
        }
        Ok(())
    }
}
