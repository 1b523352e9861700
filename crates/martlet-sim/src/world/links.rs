//! What moves on connections: opening them, frames up, bytes down, and their ends.

use super::*;
use crate::link::End;
use crate::record::hold;

/// How long a slow reader waits before it reads on.
const SIP: Duration = Duration::from_millis(50);

impl World {
    /// Opens a connection to some worker of some node that runs.
    pub(super) fn dial(&mut self, end: End) -> Option<(ConnectionId, Place)> {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|i| self.nodes[*i].up).collect();
        let node = *self.dice.pick(&up)?;
        let worker = LaneId(self.dice.below(self.options.workers.into()) as u16);
        let place = self.nodes[node].place(worker);
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let (capacity, delay) = (self.options.capacity, self.options.delays.link);
        self.links.insert(connection, Link::new(self.now, end, place, capacity, delay));
        Some((connection, place))
    }

    /// The client's end sends a frame, or ends.
    pub(super) fn send_up(&mut self, connection: ConnectionId, frame: Option<Vec<u8>>) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if frame.is_none() {
            link.client_gone = true;
        }
        if !link.silent {
            let at = link.send(self.now, frame, &mut self.dice);
            self.later(at, Transition::Up(connection));
        }
        self.forget_link(connection);
    }

    pub(super) fn arrive_up(&mut self, connection: ConnectionId) -> Checked {
        let Some(link) = self.links.get_mut(&connection) else { return Ok(()) };
        let Some(arrived) = link.take_up(self.now) else { return Ok(()) };
        let place = link.place;
        if link.server_gone {
            return Ok(());
        }
        match arrived {
            Some(frame) => {
                self.note(|_| format!("    {}", String::from_utf8_lossy(&frame)));
                self.at_worker(place, |worker, now| worker.handle_frame(now, connection, &frame))
            }
            None => {
                link.server_gone = true;
                self.at_worker(place, |worker, now| worker.handle_closed(now, connection))?;
                self.forget_link(connection);
                Ok(())
            }
        }
    }

    pub(super) fn arrive_down(&mut self, connection: ConnectionId) -> Checked {
        let Some(link) = self.links.get_mut(&connection) else { return Ok(()) };
        if link.silent || link.pace == Some(0) {
            return Ok(());
        }
        let paced = link.pace.is_some();
        let (end, gone) = (link.end, link.client_gone);
        let Some(arrived) = link.take_down(self.now) else { return Ok(()) };
        if paced && !link.down.is_empty() {
            self.after(SIP, Transition::Down(connection));
        }
        match arrived {
            Some(bytes) => {
                self.make_room(connection);
                if !gone {
                    self.note(|_| format!("    {:?}", String::from_utf8_lossy(&bytes)));
                    self.hear(end, &bytes)?;
                }
                self.follow_wishes(end)
            }
            None => {
                let link = self.links.get_mut(&connection);
                let ended = link.is_some_and(|link| {
                    link.client_gone = true;
                    link.ended && !link.cut
                });
                self.forget_link(connection);
                if gone {
                    return Ok(());
                }
                hold(!ended || self.was_told(end), || {
                    format!("{end:?}: {connection:?} was ended without a word")
                })?;
                self.lost(end, connection)
            }
        }
    }

    /// The client has read, so a server that waits may go on.
    fn make_room(&mut self, connection: ConnectionId) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if std::mem::take(&mut link.full) {
            self.after(Duration::ZERO, Transition::Writable(connection));
        }
    }

    pub(super) fn writable(&mut self, connection: ConnectionId) -> Checked {
        let Some(link) = self.links.get(&connection).filter(|link| !link.server_gone) else {
            return Ok(());
        };
        let place = link.place;
        self.at_worker(place, |worker, _| worker.handle_writable(connection))
    }

    /// A worker writes to some of its readers.
    pub(super) fn sweep(&mut self, place: Place) -> Checked {
        let index = usize::from(place.worker.0);
        let now = self.now_at(place.node);
        let node = &mut self.nodes[place.node];
        if !node.up || node.life != place.life {
            return Ok(());
        }
        node.sweeping[index] = false;
        let readers = self.dice.between(1, 4);
        let (links, dice) = (&mut self.links, &mut self.dice);
        let mut written = Vec::new();
        node.workers[index].sweep(now, readers, |connection, slices| {
            let Some(link) = links.get_mut(&connection) else { return 0 };
            let (taken, arrives) = link.write(now.instant, slices, dice);
            written.extend(arrives.map(|at| (connection, at)));
            taken
        });
        for (connection, at) in written {
            self.later(at, Transition::Down(connection));
        }
        self.carry(place)
    }

    /// A worker closes a connection.
    pub(super) fn shut(&mut self, place: Place, connection: ConnectionId) -> Checked {
        let Some(link) = self.links.get_mut(&connection).filter(|link| !link.server_gone) else {
            return Ok(());
        };
        let at = link.end_down(self.now, &mut self.dice);
        self.later(at, Transition::Down(connection));
        self.at_worker(place, |worker, now| worker.handle_closed(now, connection))?;
        self.forget_link(connection);
        Ok(())
    }

    /// A connection of which both ends are closed is no more.
    pub(super) fn forget_link(&mut self, connection: ConnectionId) {
        if self.links.get(&connection).is_some_and(|link| link.client_gone && link.server_gone) {
            self.links.remove(&connection);
        }
    }

    /// A connection that is dead is given up in time.
    pub(super) fn check_dead(&self, connection: ConnectionId, link: &Link) -> Checked {
        let rules = &self.options.rules;
        let patience = rules.ping + rules.pong + rules.limits.connect_timeout;
        let patience = patience + rules.limits.write_timeout + Duration::from_secs(1);
        let since = link.disturbed_at.unwrap_or(link.taken_at).max(link.taken_at);
        hold(!link.silent || link.server_gone || self.now <= since.after(patience), || {
            format!("{connection:?} is dead since {since:?} and still open")
        })
    }
}
