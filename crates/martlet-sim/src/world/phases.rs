//! The phases of a life: safety, liveness, the end; and what is looked at all along.

use std::collections::BTreeSet;

use martlet_core::model::{ChannelName, Position};
use martlet_core::stream::Keep;

use super::*;
use crate::client::Line;
use crate::follower::{Follower, Stage};
use crate::link::End;
use crate::record::hold;

/// How often everything is looked at.
const LOOK: Duration = Duration::from_millis(700);

/// How many times five seconds may pass in which nobody hears anything new while something is
/// still to come right.
const PATIENCE: usize = 12;

/// The longest frame that the world's data makes.
const FRAME_BYTES: usize = 4_096;

/// The longest answer: a page of history of 40 publications.
const ANSWER_BYTES: usize = 40 * FRAME_BYTES;

/// The most wires of one channel.
const WIRES: usize = 6;

/// What the pages of one log may hold.
const PAGES_BYTES: usize = 4 * (128 * 1024 + FRAME_BYTES);

impl World {
    /// Lives from the beginning to the end.
    pub(super) fn live(&mut self) -> Checked {
        for end in self.ends() {
            self.follow_wishes(end)?;
        }
        self.after(Duration::from_millis(500), Transition::Deed);
        self.after(LOOK, Transition::Inspect);
        while self.deeds_left > 0 {
            let until = self.now.after(Duration::from_secs(5));
            self.run_until(until)?;
        }
        self.come_right()?;
        self.leave()
    }

    /// Nothing goes wrong any more: everything has to come right.
    fn come_right(&mut self) -> Checked {
        self.note(|_| "--- no more troubles".into());
        self.troubled = false;
        self.partitions.clear();
        self.depots.iter_mut().for_each(|depot| depot.failing = false);
        (0..self.nodes.len()).for_each(|node| self.begin(node));
        let slow: Vec<ConnectionId> = self.links.keys().copied().collect();
        for connection in slow {
            self.heal(&crate::transition::Trouble::Stall(connection, 0, LOOK))?;
        }
        let rules = Arc::clone(&self.options.rules);
        let settled = (rules.ping + rules.pong + rules.limits.write_timeout) * 2;
        let until = self.now.after(settled + Duration::from_secs(20));
        while self.now < until {
            self.refresh_all()?;
            self.run_until(self.now.after(Duration::from_secs(3)))?;
        }
        self.doubt_all()?;
        self.run_until(self.now.after(Duration::from_secs(5)))?;
        // Over thin connections that takes its time, but it goes on.
        let (mut before, mut idle) = (0, 0);
        while idle < PATIENCE && self.check_converged().is_err() {
            self.run_until(self.now.after(Duration::from_secs(5)))?;
            let life = self.life();
            let heard = life.received + life.read + life.answers;
            idle = if heard > std::mem::replace(&mut before, heard) { 0 } else { idle + 1 };
        }
        self.check_converged()
    }

    /// The engine is heard again, and says that news may have been lost. They were, if a channel's
    /// last publication was: nobody learns of that by a next one.
    fn doubt_all(&mut self) -> Checked {
        let channels = self.options.channels.clone();
        for node in 0..self.nodes.len() {
            for worker in 0..self.options.workers {
                let place = self.nodes[node].place(LaneId(worker));
                let doubt = News::Doubt(channels.clone());
                self.at_worker(place, |worker, now| worker.handle_news(now, doubt))?;
            }
        }
        Ok(())
    }

    /// Applications take care that tokens do not run out.
    fn refresh_all(&mut self) -> Checked {
        for client in 0..self.clients.len() {
            self.clients[client].token_life = Duration::from_secs(3_600);
            self.refresh(client);
            self.follow_wishes(End::Client(client))?;
        }
        Ok(())
    }

    /// Every client is connected, was answered everything and has everything.
    fn check_converged(&mut self) -> Checked {
        for (number, client) in self.clients.iter().enumerate() {
            hold(client.connected, || {
                format!("client {number} is not connected: {:?}", client.line)
            })?;
            hold(client.waiting() == 0, || {
                format!("client {number} waits for answers: {:?}", client.asked())
            })?;
        }
        for channel in self.options.channels.clone() {
            for client in 0..self.clients.len() {
                self.check_at_head(client, &channel)?;
            }
            for reader in 0..self.readers.len() {
                self.check_read(reader, &channel)?;
            }
            self.check_members(&channel)?;
        }
        Ok(())
    }

    fn check_at_head(&mut self, client: usize, channel: &ChannelName) -> Checked {
        let Line::Open(connection) = self.clients[client].line else { return Ok(()) };
        let Some(node) = self.links.get(&connection).map(|link| link.place.node) else {
            return Ok(());
        };
        let Some(follower) = self.clients[client].wants.get(channel).cloned() else {
            return Ok(());
        };
        let open = self.namespace(channel).subscribe == martlet_core::model::Access::Anyone;
        if !open && self.clients[client].user.is_none() {
            return Ok(());
        }
        let head = self.head(node, channel);
        hold(follower.stage == Stage::On && follower.place == head, || {
            let Follower { stage, place, .. } = follower;
            format!("client {client} is {stage:?} at {place:?} in {channel}, the store at {head:?}")
        })
    }

    fn check_read(&mut self, reader: usize, channel: &ChannelName) -> Checked {
        let Line::Open(connection) = self.readers[reader].line else {
            return Err(Violation(format!("reader {reader} is not connected")));
        };
        let Some(node) = self.links.get(&connection).map(|link| link.place.node) else {
            return Ok(());
        };
        if !self.readers[reader].channels.contains(channel) {
            return Ok(());
        }
        let (head, place) = (self.head(node, channel), self.readers[reader].places.get(channel));
        hold(place.copied() == head, || {
            format!("reader {reader} is at {place:?} in {channel}, the store at {head:?}")
        })
    }

    /// Where the store of a node is in a channel.
    fn head(&mut self, node: usize, channel: &ChannelName) -> Option<Position> {
        let now = if self.options.shared { self.true_now() } else { self.now_at(node) };
        let (depot, keep) = (self.depot_of(node), Keep::of(self.namespace(channel)));
        self.depots[depot].extent(now, channel, keep).map(|extent| extent.head)
    }

    /// Everybody at the clients' end.
    fn ends(&self) -> impl Iterator<Item = End> + use<> {
        let clients = (0..self.clients.len()).map(End::Client);
        clients.chain((0..self.readers.len()).map(End::Reader))
    }

    /// The members of a channel on each node are the clients that follow it there.
    fn check_members(&mut self, channel: &ChannelName) -> Checked {
        if !self.namespace(channel).presence {
            return Ok(());
        }
        for node in &mut self.nodes {
            let owner = crate::worker::owner(channel, self.options.workers);
            let told = node.workers[usize::from(owner.0)].members(channel);
            let told: BTreeSet<_> = told.into_iter().collect();
            let here: BTreeSet<_> = node.attendance.members(channel).into_iter().collect();
            hold(told == here, || {
                let number = node.number;
                format!(
                    "the members of {channel} on node {number} are {told:?} instead of {here:?}"
                )
            })?;
        }
        Ok(())
    }

    /// Everybody leaves, and nothing is left of anybody.
    fn leave(&mut self) -> Checked {
        self.note(|_| "--- everybody leaves".into());
        let leaving = self.clients.iter_mut().filter_map(Client::leave);
        let leaving: Vec<_> =
            leaving.chain(self.readers.iter_mut().filter_map(Reader::leave)).collect();
        leaving.into_iter().for_each(|connection| self.send_up(connection, None));
        let rules = Arc::clone(&self.options.rules);
        let graces = rules.namespaces.named.values().map(|n| n.presence_grace).max();
        let wait = rules.expiry + graces.unwrap_or_default() + Duration::from_secs(20);
        self.run_until(self.now.after(wait))?;
        for node in &self.nodes {
            node.workers.iter().try_for_each(|worker| worker.check_empty())?;
        }
        hold(self.links.is_empty(), || format!("connections are left: {:?}", self.links))
    }

    /// Looks whether everything is within its bounds and nobody dead is still held.
    pub(super) fn inspect(&mut self) -> Checked {
        let going = !self.queue.is_empty();
        if going {
            self.after(LOOK, Transition::Inspect);
        }
        self.links.iter().try_for_each(|(id, link)| self.check_dead(*id, link))?;
        for (id, link) in &self.links {
            if link.server_gone || !self.nodes[link.place.node].up {
                continue;
            }
            let worker = &self.nodes[link.place.node].workers[usize::from(link.place.worker.0)];
            let (owed, limit) = (worker.owed_bytes(*id), self.options.rules.limits.owed_bytes);
            hold(owed <= limit + ANSWER_BYTES, || format!("{id:?} is owed {owed} bytes"))?;
        }
        let limits = &self.options.rules.limits;
        for worker in self.nodes.iter().flat_map(|node| &node.workers) {
            let longest = worker.lane().longest_log();
            hold(longest <= limits.log_bytes + FRAME_BYTES, || {
                format!("a log holds {longest} bytes")
            })?;
            let held = worker.lane().log_bytes();
            let logs = worker.lane().channels() * WIRES;
            hold(held <= logs * (limits.log_bytes + FRAME_BYTES + PAGES_BYTES), || {
                format!("the logs of a lane hold {held} bytes")
            })?;
        }
        Ok(())
    }
}
