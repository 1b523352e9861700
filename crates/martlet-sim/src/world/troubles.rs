//! What goes wrong, drawn from the seed, and how it ends.

use martlet_core::model::{Close, Code};

use super::*;
use crate::link::End;
use crate::transition::Trouble;

impl World {
    pub(super) fn draw_troubles(&mut self) -> Checked {
        let likely = self.options.troubles;
        let nodes = self.nodes.len();
        let (node, other) = (self.dice.below(nodes), self.dice.below(nodes));
        let open: Vec<ConnectionId> = self.links.keys().copied().collect();
        let connection = self.dice.pick(&open).copied();
        let long = Duration::from_millis(self.dice.between(200, 12_000) as u64);
        let mut drawn = Vec::new();
        let mut draw = |likely: u32, trouble: Option<Trouble>| {
            if self.dice.chance(likely) {
                drawn.extend(trouble);
            }
        };
        draw(likely.cut, connection.map(|connection| Trouble::Cut(Some(connection))));
        draw(likely.storm, Some(Trouble::Cut(None)));
        draw(likely.stall / 2, connection.map(|it| Trouble::Stall(it, 0, long)));
        draw(likely.stall / 2, connection.map(|it| Trouble::Stall(it, 37, long)));
        // That a plain reader is dead shows only in its socket, which the kernel gives up.
        let answers = |it: &ConnectionId| matches!(self.links[it].end, End::Client(_));
        draw(likely.silent, connection.filter(answers).map(Trouble::Silent));
        draw(likely.crash, Some(Trouble::Crash(node)));
        draw(likely.drain, Some(Trouble::Drain(node)));
        draw(likely.store_fails, Some(Trouble::StoreFails(node)));
        draw(likely.store_loses, Some(Trouble::StoreLoses(node)));
        let pair = (node.min(other), node.max(other));
        draw(likely.partition, (node != other).then_some(Trouble::Partition(pair.0, pair.1)));
        draw(likely.jump, Some(Trouble::Jump(node, long.as_millis() as i64 - 6_000)));
        drawn.into_iter().try_for_each(|trouble| self.strike(trouble, long))
    }

    fn strike(&mut self, trouble: Trouble, long: Duration) -> Checked {
        self.note(|_| format!("    {trouble:?} for {long:?}"));
        match &trouble {
            Trouble::Cut(Some(connection)) => self.cut(*connection),
            Trouble::Cut(None) => {
                let all: Vec<ConnectionId> = self.links.keys().copied().collect();
                all.into_iter().for_each(|connection| self.cut(connection));
            }
            Trouble::Stall(connection, pace, _) => self.disturb(*connection, |link| {
                link.pace = Some(*pace);
            }),
            Trouble::Silent(connection) => self.disturb(*connection, |link| link.silent = true),
            Trouble::Crash(node) => self.crash(*node, long),
            Trouble::Drain(node) => return self.drain(*node),
            Trouble::StoreFails(node) => {
                let depot = self.depot_of(*node);
                self.depots[depot].failing = self.options.shared;
            }
            Trouble::StoreLoses(_) => return self.lose_tails(),
            Trouble::Partition(one, other) => {
                self.partitions.insert((*one, *other));
            }
            Trouble::Jump(node, by) => self.nodes[*node].skew_ms += by,
        }
        if matches!(trouble, Trouble::Stall(..) | Trouble::StoreFails(_) | Trouble::Partition(..)) {
            self.after(long, Transition::Heal(trouble));
        }
        Ok(())
    }

    /// A trouble ends.
    pub(super) fn heal(&mut self, trouble: &Trouble) -> Checked {
        match trouble {
            Trouble::Stall(connection, ..) => {
                self.disturb(*connection, |link| link.pace = None);
                self.after(Duration::ZERO, Transition::Down(*connection));
                // What piled up in the meantime arrives piece by piece.
                let pieces = self.links.get(connection).map_or(0, |link| link.down.len());
                for _ in 0..pieces {
                    self.after(Duration::ZERO, Transition::Down(*connection));
                }
            }
            Trouble::StoreFails(node) => {
                let depot = self.depot_of(*node);
                self.depots[depot].failing = false;
            }
            Trouble::Partition(one, other) => {
                self.partitions.remove(&(*one, *other));
            }
            _ => {}
        }
        Ok(())
    }

    fn disturb(&mut self, connection: ConnectionId, how: impl FnOnce(&mut Link)) {
        let now = self.now;
        if let Some(link) = self.links.get_mut(&connection) {
            link.disturbed_at = Some(now);
            how(link);
        }
    }

    fn cut(&mut self, connection: ConnectionId) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if link.cut || link.silent || link.client_gone || link.server_gone {
            return;
        }
        let (up, down) = link.cut(self.now, &mut self.dice);
        link.disturbed_at = Some(self.now);
        let pieces = (link.up.len(), link.down.len());
        for _ in 0..pieces.0 {
            self.later(up, Transition::Up(connection));
        }
        for _ in 0..pieces.1 {
            self.later(down, Transition::Down(connection));
        }
    }

    /// A node is gone; its clients see that sooner or later.
    fn crash(&mut self, node: usize, long: Duration) {
        if !self.nodes[node].up {
            return;
        }
        self.nodes[node].up = false;
        let here: Vec<ConnectionId> =
            self.links.iter().filter(|(_, l)| l.place.node == node).map(|(id, _)| *id).collect();
        for connection in here {
            self.cut(connection);
            self.links.get_mut(&connection).into_iter().for_each(|link| link.server_gone = true);
            self.forget_link(connection);
        }
        if !self.options.shared {
            let seed = self.dice.bits();
            self.depots[node].forget_all(seed);
        }
        self.after(long, Transition::Begin(node));
    }

    /// A node begins anew.
    pub(super) fn begin(&mut self, node: usize) {
        if !self.nodes[node].up {
            let options = self.options.clone();
            self.nodes[node].begin(&options, &mut self.dice);
        }
    }

    /// A node sends all its clients away, and says when to come back.
    fn drain(&mut self, node: usize) -> Checked {
        for worker in 0..self.options.workers {
            let place = self.nodes[node].place(LaneId(worker));
            if !self.nodes[node].up {
                return Ok(());
            }
            let here = self.nodes[node].workers[usize::from(worker)].connections();
            for connection in here.collect::<Vec<_>>() {
                let after = Some(Duration::from_millis(self.dice.below(3_000) as u64));
                let close = Close { after, ..Code::Shutdown.into() };
                self.at_worker(place, |worker, now| {
                    worker.with_session(now, connection, |session| session.close(close));
                })?;
            }
        }
        Ok(())
    }

    fn lose_tails(&mut self) -> Checked {
        let Some(shelf) = self.depots[0].shelf() else { return Ok(()) };
        let left = shelf.crash(&mut self.dice);
        left.iter().try_for_each(|publication| self.record.handle_appended(publication))
    }
}
