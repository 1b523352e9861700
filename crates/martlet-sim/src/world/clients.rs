//! The clients' side of the world: making them, waking them, and doing what they wish.

use super::*;
use crate::client::{Line, Wish};
use crate::link::End;
use crate::reader::Reader;
use crate::wire::Door;
use martlet_core::model::{Access, ChannelName, ClientId, NodeId, SessionKey, SessionPlace};
use martlet_core::presence::Holder;
use martlet_core::session::Opening;

impl World {
    pub(super) fn make_clients(options: &Options, dice: &mut Dice) -> Vec<Client> {
        let client = |i| {
            let start = Instant(dice.below(2_000_000) as u64);
            let user = dice.chance(700).then(|| format!("user{i}").into());
            let life = Duration::from_millis(dice.between(8_000, 60_000) as u64);
            Client::new(start, user, life, dice.chance(300), dice.fork())
        };
        (0..options.clients).map(client).collect()
    }

    pub(super) fn make_readers(options: &Options, dice: &mut Dice) -> Vec<Reader> {
        let rules = &options.rules;
        let open = |channel: &&ChannelName| {
            let namespace = rules.namespaces.of(channel);
            namespace.is_ok_and(|namespace| namespace.subscribe == Access::Anyone)
        };
        let all: Vec<_> = options.channels.iter().filter(open).cloned().collect();
        if all.is_empty() {
            return Vec::new();
        }
        let reader = |_| {
            let start = Instant(dice.below(3_000_000) as u64);
            let count = dice.between(1, all.len());
            let silence = rules.ping * 2 + Duration::from_secs(2);
            Reader::new(start, all[..count].to_vec(), dice.chance(500), silence, dice.fork())
        };
        (0..options.plain).map(reader).collect()
    }

    /// Does what the client's end wishes, and wakes it when it wants that.
    pub(super) fn follow_wishes(&mut self, end: End) -> Checked {
        let next = match end {
            End::Client(client) => {
                while let Some(wish) = self.clients[client].poll_wish() {
                    self.follow_wish(client, wish)?;
                }
                self.clients[client].poll_timeout()
            }
            End::Reader(reader) => self.readers[reader].poll_timeout(),
        };
        if let Some(at) = next {
            self.arm(end, at);
        }
        Ok(())
    }

    fn follow_wish(&mut self, client: usize, wish: Wish) -> Checked {
        match wish {
            Wish::Dial => self.connect(client)?,
            Wish::Send(frame) => {
                if let Line::Open(connection) = self.clients[client].line {
                    self.send_up(connection, Some(frame));
                }
            }
            Wish::Hang => self.hang_up(End::Client(client)),
        }
        Ok(())
    }

    fn armed(&mut self, end: End) -> &mut Option<Instant> {
        match end {
            End::Client(client) => &mut self.clients[client].armed,
            End::Reader(reader) => &mut self.readers[reader].armed,
        }
    }

    fn arm(&mut self, end: End, at: Instant) {
        let now = self.now;
        let armed = self.armed(end);
        if armed.filter(|set| *set > now).is_none_or(|set| at < set) {
            *armed = Some(at);
            self.later(at, Transition::Wake(end));
        }
    }

    pub(super) fn wake(&mut self, end: End) -> Checked {
        let now = self.now;
        let armed = self.armed(end);
        *armed = armed.filter(|at| *at > now);
        match end {
            End::Client(client) => self.clients[client].handle_timeout(now),
            End::Reader(reader) => {
                let due = self.readers[reader].poll_timeout().is_some_and(|at| at <= now);
                match self.readers[reader].line {
                    Line::Idle(_) if due => self.open_stream(reader)?,
                    Line::Open(_) if due => self.hang_up(end),
                    _ => {}
                }
            }
        }
        self.follow_wishes(end)
    }

    /// A reader makes its request.
    fn open_stream(&mut self, reader: usize) -> Checked {
        let Some((connection, place)) = self.dial(End::Reader(reader)) else {
            self.readers[reader].handle_lost(self.now);
            return Ok(());
        };
        let Reader { envelope, ref channels, .. } = self.readers[reader];
        let door = Door::Plain { envelope, several: channels.len() > 1 };
        let connect = self.readers[reader].request(self.true_now().wall);
        let opening = self.opening(place, connection, false);
        self.readers[reader].handle_open(self.now, connection);
        self.at_worker(place, |worker, now| {
            worker.handle_open(now, connection, door, opening, Some(connect));
        })
    }

    fn connect(&mut self, client: usize) -> Checked {
        let Some((connection, place)) = self.dial(End::Client(client)) else {
            self.clients[client].handle_lost(self.now);
            return Ok(());
        };
        let (opening, door) = (self.opening(place, connection, true), self.clients[client].door());
        self.at_worker(place, |worker, now| {
            worker.handle_open(now, connection, door, opening, None);
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
        let node = NodeId::new(place.node as u32);
        let age = Duration::from_millis(self.dice.between(3_000, 30_000) as u64);
        let ages = self.dice.chance(200);
        let at = SessionPlace { node, worker: place.worker.0, slot: 0 };
        Opening {
            key: SessionKey::new(at, self.dice.bits()),
            client: ClientId::new(self.dice.bits()),
            holder: Holder(connection.0),
            answers,
            member: true,
            aged_at: if ages { self.now.after(age) } else { Instant::NEVER },
        }
    }

    /// A new token of a client's application.
    pub(super) fn token(&self, client: usize) -> Option<Box<str>> {
        let client = &self.clients[client];
        let user = client.user.as_ref()?;
        let expires = self.true_now().wall.plus_ms(client.token_life.as_millis() as u64);
        Some(format!("{user}@{expires}").into())
    }

    /// The client's end drops its connection.
    fn hang_up(&mut self, end: End) {
        let line = match end {
            End::Client(client) => self.clients[client].line,
            End::Reader(reader) => self.readers[reader].line,
        };
        if let Line::Open(connection) = line {
            self.send_up(connection, None);
            self.give_up(end);
        }
    }

    fn give_up(&mut self, end: End) {
        match end {
            End::Client(client) => self.clients[client].handle_lost(self.now),
            End::Reader(reader) => self.readers[reader].handle_lost(self.now),
        }
    }

    /// Bytes reach the client's end.
    pub(super) fn hear(&mut self, end: End, bytes: &[u8]) -> Checked {
        let (now, record) = (self.now, &self.record);
        let heard = match end {
            End::Client(client) => self.clients[client].handle_bytes(now, bytes, record),
            End::Reader(reader) => self.readers[reader].handle_bytes(now, bytes, record),
        };
        heard.map_err(|Violation(why)| Violation(format!("{end:?}: {why}")))
    }

    /// Whether the client's end was told why its connection ends.
    pub(super) fn was_told(&self, end: End) -> bool {
        match end {
            End::Client(client) => self.clients[client].was_told(),
            End::Reader(reader) => self.readers[reader].was_told(),
        }
    }

    /// The client's end learns that its connection is gone.
    pub(super) fn lost(&mut self, end: End, connection: ConnectionId) -> Checked {
        let line = match end {
            End::Client(client) => self.clients[client].line,
            End::Reader(reader) => self.readers[reader].line,
        };
        if line == Line::Open(connection) {
            self.give_up(end);
        }
        self.follow_wishes(end)
    }
}
