//! The clients' side of the world: making them, waking them, and doing what they wish.

use super::*;
use crate::client::{Line, Wish};
use crate::link::End;
use crate::wire::Door;
use martlet_core::model::{ClientId, SessionKey};
use martlet_core::presence::Holder;
use martlet_core::session::Opening;

impl World {
    pub(super) fn make_clients(options: &Options, dice: &mut Dice) -> Vec<Client> {
        let client = |i| {
            let start = Instant(dice.below(2_000_000) as u64);
            let user = dice.chance(700).then(|| format!("user{i}").into());
            let life = Duration::from_millis(dice.between(8_000, 60_000) as u64);
            Client::new(start, user, life, dice.fork())
        };
        (0..options.clients).map(client).collect()
    }

    /// Does what a client wishes, and wakes it when it wants that.
    pub(super) fn follow_wishes(&mut self, end: End) -> Checked {
        let End::Client(client) = end else { return Ok(()) };
        while let Some(wish) = self.clients[client].poll_wish() {
            match wish {
                Wish::Dial => self.connect(client)?,
                Wish::Send(frame) => {
                    if let Line::Open(connection) = self.clients[client].line {
                        self.send_up(connection, Some(frame));
                    }
                }
                Wish::Hang => self.hang_up(client),
            }
        }
        if let Some(at) = self.clients[client].poll_timeout() {
            self.arm(client, at);
        }
        Ok(())
    }

    fn arm(&mut self, client: usize, at: Instant) {
        let set = self.clients[client].armed.filter(|set| *set > self.now);
        if set.is_none_or(|set| at < set) {
            self.clients[client].armed = Some(at);
            self.later(at, Transition::Wake(client));
        }
    }

    pub(super) fn wake(&mut self, client: usize) -> Checked {
        if self.clients[client].armed.is_some_and(|at| at <= self.now) {
            self.clients[client].armed = None;
        }
        self.clients[client].handle_timeout(self.now);
        self.follow_wishes(End::Client(client))
    }

    fn connect(&mut self, client: usize) -> Checked {
        let Some((connection, place)) = self.dial(End::Client(client)) else {
            self.clients[client].handle_lost(self.now);
            return Ok(());
        };
        let opening = self.opening(place, connection, true);
        self.at_worker(place, |worker, now| {
            worker.handle_open(now, connection, Door::Json, opening, None);
        })?;
        let token = self.token(client);
        self.clients[client].handle_open(self.now, connection, token);
        Ok(())
    }

    /// What a session begins with.
    pub(super) fn opening(
        &mut self,
        place: Place,
        connection: ConnectionId,
        answers: bool,
    ) -> Opening {
        let random = (u128::from(self.dice.bits()) << 64) | u128::from(self.dice.bits());
        Opening {
            key: SessionKey::new(place.worker.0, random),
            client: ClientId::new(self.dice.bits()),
            holder: Holder(connection.0),
            answers,
        }
    }

    /// A new token of a client's application.
    pub(super) fn token(&self, client: usize) -> Option<Box<str>> {
        let client = &self.clients[client];
        let user = client.user.as_ref()?;
        let expires = self.true_now().wall.plus_ms(client.token_life.as_millis() as u64);
        Some(format!("{user}@{expires}").into())
    }

    /// A client drops its connection.
    fn hang_up(&mut self, client: usize) {
        if let Line::Open(connection) = self.clients[client].line {
            self.send_up(connection, None);
            self.clients[client].handle_lost(self.now);
        }
    }

    /// Bytes reach the client's end.
    pub(super) fn hear(&mut self, end: End, bytes: &[u8]) -> Checked {
        match end {
            End::Client(client) => {
                let heard = self.clients[client].handle_bytes(self.now, bytes, &self.record);
                heard.map_err(|Violation(why)| Violation(format!("client {client}: {why}")))
            }
            End::Reader(_) => Ok(()),
        }
    }

    /// The client's end learns that its connection is gone.
    pub(super) fn lost(&mut self, end: End, connection: ConnectionId) -> Checked {
        let End::Client(client) = end else { return Ok(()) };
        if self.clients[client].line == Line::Open(connection) {
            self.clients[client].handle_lost(self.now);
        }
        self.follow_wishes(end)
    }
}
