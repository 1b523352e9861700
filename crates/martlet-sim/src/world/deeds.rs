//! What clients and backends do, drawn from the seed.

use bytes::Bytes;
use martlet_core::model::{ChannelName, Code, Data, Draft, Position, UnixMillis};
use martlet_core::session::{Command, History, Refresh, Request, Start};

use super::*;
use crate::client::Line;
use crate::link::End;
use crate::transition::Deed;
use crate::worker::owner;

/// Frames that no good client sends. All but the last two are refused and the connection lives.
const NONSENSE: &[&[u8]] = &[
    br#"{"id":0,"ping":{}}"#,
    br#"{"id":4294967295,"dance":{}}"#,
    br#"{"subscribe":[{"channel":""}]}"#,
    br#"{"unsubscribe":[]}"#,
    br#"{"publish":{"channel":"keep:0"}}"#,
    br#"{"history":{"channel":"nowhere:1"}}"#,
    b"{",
    b"\xff\xfe",
];

impl World {
    /// Somebody does something, and perhaps something goes wrong.
    pub(super) fn deed(&mut self) -> Checked {
        self.deeds_left = self.deeds_left.saturating_sub(1);
        if self.deeds_left > 0 {
            let wait = self.dice.short_of(self.options.pause);
            self.after(wait, Transition::Deed);
        }
        if let Some(deed) = self.draw_deed() {
            self.note(|_| format!("    {deed:?}"));
            self.act(deed)?;
        }
        self.draw_troubles()
    }

    fn draw_deed(&mut self) -> Option<Deed> {
        let channel = self.dice.pick(&self.options.channels)?.clone();
        let (client, node) =
            (self.dice.below(self.clients.len()), self.dice.below(self.nodes.len()));
        let burst = match self.dice.below(1_000) {
            0..5 => self.dice.between(200, 600),
            5..150 => self.dice.between(5, 60),
            _ => 1,
        };
        if self.dice.chance(self.options.troubles.nonsense) {
            return Some(Deed::Nonsense(client));
        }
        Some(match self.dice.below(100) {
            0..30 => Deed::Backend(node, channel, burst),
            30..50 => Deed::Publish(client, channel, burst.min(8)),
            50..75 => Deed::Follow(client, channel),
            75..82 => Deed::Unfollow(client, channel),
            82..87 => Deed::History(client, channel, burst.min(30)),
            87..91 => Deed::Presence(client, channel),
            91..94 => Deed::Ping(client),
            94..97 => Deed::Refresh(client),
            97 => Deed::Impose(client, channel, true),
            98 => Deed::Impose(client, channel, false),
            _ => Deed::Disconnect(client, self.dice.chance(500)),
        })
    }

    fn act(&mut self, deed: Deed) -> Checked {
        match deed {
            Deed::Backend(node, channel, count) => return self.backend(node, &channel, count),
            Deed::Impose(client, channel, begin) => return self.impose(client, &channel, begin),
            Deed::Disconnect(client, for_good) => return self.disconnect(client, for_good),
            Deed::Publish(client, channel, count) => self.publish(client, &channel, count),
            Deed::Follow(client, channel) => {
                let start = self.draw_start(&channel);
                self.clients[client].follow(&channel, start);
            }
            Deed::Unfollow(client, channel) => self.clients[client].unfollow(&channel),
            Deed::History(client, channel, count) => {
                (0..count).for_each(|_| self.read_history(client, &channel));
            }
            Deed::Presence(client, channel) => self.ask(client, Command::Presence(channel)),
            Deed::Ping(client) => self.ask(client, Command::Ping),
            Deed::Refresh(client) => self.refresh(client),
            Deed::Nonsense(client) => {
                if let Some(nonsense) = self.dice.pick(NONSENSE) {
                    self.clients[client].send_raw(nonsense);
                }
            }
        }
        (0..self.clients.len()).try_for_each(|client| self.follow_wishes(End::Client(client)))
    }

    pub(super) fn refresh(&mut self, client: usize) {
        if let Some(token) = self.token(client) {
            self.ask(client, Command::Refresh(Refresh { channel: None, token }));
        }
    }

    fn read_history(&mut self, client: usize, channel: &ChannelName) {
        let start = self.dice.chance(500).then(|| self.draw_start(channel));
        let start = start.filter(|start| *start != Start::Now);
        let (limit, reverse) = (self.dice.below(40), self.dice.chance(500));
        let history = History { channel: channel.clone(), start, limit, reverse };
        self.ask(client, Command::History(history));
    }

    fn ask(&mut self, client: usize, command: Command) {
        if self.clients[client].connected {
            self.clients[client].ask_one(command);
        }
    }

    /// Where somebody starts to read: mostly with the present, or somewhere before, and now and
    /// then where nobody can be.
    fn draw_start(&mut self, channel: &ChannelName) -> Start {
        let now = self.true_now().wall;
        match self.dice.below(10) {
            0..6 => Start::Now,
            6..8 => Start::Since(UnixMillis(now.0 - self.dice.below(10_000) as u64)),
            _ => {
                let Some(epoch) = self.record.newest(channel) else { return Start::Now };
                let head = self.record.head(channel, epoch) as usize;
                Start::After(Position { epoch, offset: self.dice.below(head + 3) as u64 })
            }
        }
    }

    /// A draft that nobody else makes.
    fn draft(&mut self, channel: &ChannelName, keyed: bool) -> Draft {
        self.published += 1;
        let number = self.published;
        let filler = "x".repeat(self.dice.below(self.options.data_bytes));
        let data = format!("{{\"n\":{number},\"x\":\"{filler}\"}}");
        Draft {
            channel: channel.clone(),
            name: self.dice.chance(300).then(|| "named".into()),
            reference: None,
            tags: Vec::new(),
            from: None,
            idempotency_key: keyed.then(|| format!("key{number}").into()),
            data: Data::Json(Bytes::from(data)),
        }
    }

    fn publish(&mut self, client: usize, channel: &ChannelName, count: usize) {
        for _ in 0..count {
            let keyed = self.dice.chance(700);
            let draft = self.draft(channel, keyed);
            if self.clients[client].connected {
                self.clients[client].publish(draft);
            }
        }
    }

    /// The backend publishes through a node, if it runs.
    pub(super) fn backend(&mut self, node: usize, channel: &ChannelName, count: usize) -> Checked {
        let place = self.nodes[node].place(owner(channel, self.options.workers));
        for _ in 0..count {
            let draft = self.draft(channel, false);
            self.at_worker(place, |worker, now| {
                worker.handle_request(now, Request::Publish(draft));
            })?;
        }
        Ok(())
    }

    fn impose(&mut self, client: usize, channel: &ChannelName, begin: bool) -> Checked {
        let Line::Open(connection) = self.clients[client].line else { return Ok(()) };
        let Some(link) = self.links.get(&connection) else { return Ok(()) };
        let place = link.place;
        self.clients[client].may_be_imposed(channel);
        self.at_worker(place, |worker, now| {
            worker.with_session(now, connection, |session| {
                if begin {
                    session.follow_by_backend(now, channel.clone());
                } else {
                    session.end_subscription(channel, Code::Disconnected.into());
                }
            });
        })
    }

    fn disconnect(&mut self, client: usize, for_good: bool) -> Checked {
        let Line::Open(connection) = self.clients[client].line else { return Ok(()) };
        let Some(link) = self.links.get(&connection) else { return Ok(()) };
        let (place, code) = (link.place, if for_good { Code::Disconnected } else { Code::Failed });
        self.at_worker(place, |worker, now| {
            worker.with_session(now, connection, |session| session.close(code.into()));
        })
    }
}
