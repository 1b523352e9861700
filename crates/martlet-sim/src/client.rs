//! A small reference client: it speaks `martlet.v1.json` or `martlet.v1.proto`, comes back with its grant and its
//! positions, backs off as it is told, answers pings, and holds the server to every promise. It
//! has no sockets and no clock; the world carries its frames.

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_core::model::{ChannelName, ClientId, Close, Draft, SessionKey};
use martlet_core::session::{Command, Connect, Numbered, Start, Subscribe};
use martlet_core::time::{Backoff, Instant};
use martlet_protocol::native::{json, proto};

use crate::dice::Dice;
use crate::follower::{Follower, Stage};
use crate::record::{Checked, Violation};
use crate::wire::Door;
use crate::worker::ConnectionId;

mod hearing;

/// What a client waits for.
#[derive(Debug, Clone)]
pub enum Asked {
    /// To be let in, and to follow these channels.
    Connect(bool, Vec<Subscribe>),
    /// To follow these channels.
    Subscribe(Vec<Subscribe>),
    /// To follow this channel no more.
    Unsubscribe(ChannelName),
    /// To have published.
    Publish(Box<Draft>),
    /// Anything else with one answer.
    One,
}

/// Where the client's connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It has none, and tries again at this time.
    Idle(Instant),
    /// It has one.
    Open(ConnectionId),
    /// It has left for good.
    Gone,
}

/// What a client does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Open a connection.
    Dial,
    /// Send a frame.
    Send(Vec<u8>),
    /// Drop the connection.
    Hang,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its user, whose tokens it brings; `None` comes without.
    pub user: Option<Box<str>>,
    /// Whether it speaks Protobuf.
    proto: bool,
    /// How long its tokens are good.
    pub token_life: Duration,
    /// Where its connection is.
    pub line: Line,
    /// Whether it was let in on this connection.
    pub connected: bool,
    /// The name the server gave it.
    pub id: Option<ClientId>,
    /// What it follows or wants to follow.
    pub wants: BTreeMap<ChannelName, Follower>,
    /// Publications to be sent again, because nobody knows whether they were taken.
    pub unsure: Vec<Draft>,
    dice: Dice,
    backoff: Backoff,
    grant: Option<Box<str>>,
    session: Option<SessionKey>,
    ids: u32,
    asked: BTreeMap<u32, Asked>,
    arrived: Vec<u8>,
    heard_at: Instant,
    silence_max: Duration,
    again_at: Instant,
    wishes: Vec<Wish>,
    advice: Option<Close>,
    /// The answers it got, for the counts.
    pub answers: u64,
    /// Channels that the backend may have made it follow.
    imposed: Vec<ChannelName>,
    /// The wake-up that the world has set for it.
    pub armed: Option<Instant>,
}

/// How long a client waits for its first answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// A client that connects at `start`.
    pub fn new(
        start: Instant,
        user: Option<Box<str>>,
        token_life: Duration,
        proto: bool,
        dice: Dice,
    ) -> Self {
        Self {
            proto,
            user,
            token_life,
            line: Line::Idle(start),
            connected: false,
            id: None,
            wants: BTreeMap::new(),
            unsure: Vec::new(),
            dice,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(4)),
            grant: None,
            session: None,
            ids: 0,
            asked: BTreeMap::new(),
            arrived: Vec::new(),
            heard_at: start,
            silence_max: PATIENCE,
            again_at: start,
            wishes: Vec::new(),
            advice: None,
            answers: 0,
            imposed: Vec::new(),
            armed: None,
        }
    }

    /// How it speaks.
    pub fn door(&self) -> Door {
        if self.proto { Door::Proto } else { Door::Json }
    }

    /// What it does next.
    pub fn poll_wish(&mut self) -> Option<Wish> {
        if self.wishes.is_empty() { None } else { Some(self.wishes.remove(0)) }
    }

    /// Whether it was told why its connection ends.
    pub fn was_told(&self) -> bool {
        self.advice.is_some()
    }

    /// How many answers it waits for.
    pub fn waiting(&self) -> usize {
        self.asked.len()
    }

    /// What it waits for.
    pub fn asked(&self) -> impl std::fmt::Debug {
        self.asked.clone()
    }

    /// The backend may make it follow a channel, or no more.
    pub fn may_be_imposed(&mut self, channel: &ChannelName) {
        self.imposed.push(channel.clone());
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.line {
            Line::Idle(at) if at <= now => self.wishes.push(Wish::Dial),
            Line::Open(_) if self.heard_at.after(self.silence_max) <= now => {
                self.wishes.push(Wish::Hang);
            }
            Line::Open(_) if self.connected && self.again_at <= now => {
                self.again_at = now.after(Duration::from_millis(500));
                self.subscribe_again();
            }
            _ => {}
        }
    }

    /// When to call [`Client::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.line {
            Line::Idle(at) => Some(at),
            Line::Open(_) => {
                let silence = self.heard_at.after(self.silence_max);
                Some(if self.connected { silence.min(self.again_at) } else { silence })
            }
            Line::Gone => None,
        }
    }

    /// Its connection is open: it says who it is, and what it follows from where.
    pub fn handle_open(&mut self, now: Instant, connection: ConnectionId, token: Option<Box<str>>) {
        self.line = Line::Open(connection);
        (self.heard_at, self.silence_max) = (now, PATIENCE);
        self.again_at = now.after(Duration::from_millis(500));
        self.arrived.clear();
        let subscribe = self.wanted();
        let connect = Connect {
            token: if self.grant.is_none() { token } else { None },
            grant: self.grant.clone(),
            session: self.session.filter(|_| self.grant.is_some()),
            agent: Some("sim".into()),
            subscribe,
            ..Connect::default()
        };
        let asked = Asked::Connect(true, connect.subscribe.clone());
        self.ask(asked, Command::Connect(connect));
        for draft in std::mem::take(&mut self.unsure) {
            self.publish(draft);
        }
    }

    /// Its connection is gone.
    pub fn handle_lost(&mut self, now: Instant) {
        if self.line == Line::Gone {
            return;
        }
        self.connected = false;
        self.wants.values_mut().for_each(Follower::handle_loss);
        for asked in std::mem::take(&mut self.asked).into_values() {
            if let Asked::Publish(draft) = asked
                && draft.idempotency_key.is_some()
            {
                self.unsure.push(*draft);
            }
        }
        self.line = Line::Idle(now.after(self.wait()));
    }

    /// How long until it comes back: as the server advised, else by its backoff.
    fn wait(&mut self) -> Duration {
        let backoff = self.backoff.next(self.dice.bits());
        match self.advice.take() {
            Some(close) if !close.reconnect() => {
                self.start_afresh();
                Duration::from_secs(1).max(backoff)
            }
            Some(close) => close.after.unwrap_or(backoff),
            None => backoff,
        }
    }

    /// Forgets who it was, as an application does that was refused.
    fn start_afresh(&mut self) {
        (self.grant, self.session) = (None, None);
    }

    /// It leaves for good. Gives the connection that it drops.
    pub fn leave(&mut self) -> Option<ConnectionId> {
        self.connected = false;
        self.asked.clear();
        match std::mem::replace(&mut self.line, Line::Gone) {
            Line::Open(connection) => Some(connection),
            Line::Idle(_) | Line::Gone => None,
        }
    }

    /// Wants to follow a channel from now on, starting where `start` says.
    pub fn follow(&mut self, channel: &ChannelName, start: Start) {
        let follower = self.wants.entry(channel.clone());
        let follower = follower.or_insert_with(|| Follower::new(channel.clone()));
        if self.connected && follower.stage == Stage::Off {
            follower.stage = Stage::Asked(start);
            let subscribe = vec![Subscribe { channel: channel.clone(), token: None, start }];
            self.ask(Asked::Subscribe(subscribe.clone()), Command::Subscribe(subscribe));
        }
    }

    /// Follows a channel no more.
    pub fn unfollow(&mut self, channel: &ChannelName) {
        let Some(follower) = self.wants.get_mut(channel) else { return };
        if self.connected && follower.stage == Stage::On && !follower.ending {
            follower.ending = true;
            self.ask(
                Asked::Unsubscribe(channel.clone()),
                Command::Unsubscribe(vec![channel.clone()]),
            );
        }
    }

    /// Publishes.
    pub fn publish(&mut self, draft: Draft) {
        self.ask(Asked::Publish(Box::new(draft.clone())), Command::Publish(draft));
    }

    /// Asks for something that has one answer.
    pub fn ask_one(&mut self, command: Command) {
        self.ask(Asked::One, command);
    }

    /// Sends bytes as a frame, whatever they are.
    pub fn send_raw(&mut self, frame: &[u8]) {
        self.wishes.push(Wish::Send(frame.to_vec()));
    }

    fn ask(&mut self, asked: Asked, command: Command) {
        self.ids += 1;
        self.asked.insert(self.ids, asked);
        self.send(self.ids, command);
    }

    fn send(&mut self, id: u32, command: Command) {
        let mut frame = Vec::new();
        let numbered = Numbered { id, command };
        if self.proto {
            proto::encode_command(&numbered, &mut frame);
        } else {
            json::encode_command(&numbered, &mut frame);
        }
        self.wishes.push(Wish::Send(frame));
    }

    /// Everything it wants, from where it is.
    fn wanted(&mut self) -> Vec<Subscribe> {
        let mut subscribe = Vec::new();
        for (channel, follower) in &mut self.wants {
            if follower.stage != Stage::Off {
                continue;
            }
            let start = follower.place.map_or(Start::Now, Start::After);
            follower.stage = Stage::Asked(start);
            subscribe.push(Subscribe { channel: channel.clone(), token: None, start });
        }
        subscribe
    }

    fn subscribe_again(&mut self) {
        let subscribe = self.wanted();
        if !subscribe.is_empty() {
            self.ask(Asked::Subscribe(subscribe.clone()), Command::Subscribe(subscribe));
        }
    }
}
