//! The session: one client's state on a node, as a machine. Commands, verdicts and replies go in;
//! answers, questions and requests come out.
//!
//! It lives through `Opening` (nothing said yet), `Connecting` (its token is being looked at),
//! `Attached` (a connection carries it) and `Detached` (the connection is gone, and the client
//! may come back until the session expires). It holds no place in any channel: those are the
//! lane's, and after a reconnect the client's cursor says where they were.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::{
    Answer, Beat, ChannelGrant, Command, Connect, Connected, Event, Followed, Grant, GrantError,
    GrantKey, Heartbeat, Identity, Numbered, Pace, Repeats, Request, Subscribe, Verb, may,
};
use crate::model::{
    ChannelName, ClientId, Close, Code, Limits, Namespace, Namespaces, Refusal, SessionKey,
    UnixMillis,
};
use crate::presence::Holder;
use crate::time::{Instant, Now, Rate};

mod commands;
mod following;
mod replies;
#[cfg(test)]
mod tests;

/// How many more commands may be refused for their rate than done before the client is closed.
const FLOOD_MAX: u32 = 1_000;

/// The most tokens for channels that are kept; a grant can carry no more.
const GRANTS_MAX: usize = 1_024;

/// What is the same for all sessions of a node.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The options of channels.
    pub namespaces: Arc<Namespaces>,
    /// The limits.
    pub limits: Limits,
    /// Whether a client may connect without a token.
    pub anonymous: bool,
    /// How long the server is silent before it pings.
    pub ping: Duration,
    /// How long it then waits.
    pub pong: Duration,
    /// How long a session waits for its client to come back.
    pub expiry: Duration,
    /// How long a grant is good.
    pub grant_lifetime: Duration,
    /// What grants are signed with.
    pub grant_key: GrantKey,
}

/// What a session needs to begin. All random bits come from outside.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// The secret by which requests find it.
    pub key: SessionKey,
    /// The client's name, unless it comes back with another.
    pub client: ClientId,
    /// Where it lives, for presence; different for every session of a node.
    pub holder: Holder,
    /// Whether the client can answer pings on its transport.
    pub answers: bool,
    /// Whether it is a member of the channels that it follows, where they have members. One that
    /// only looks in, again and again, is not.
    pub member: bool,
    /// When the connection is so old that the client is asked to come back by another; the end of
    /// time for never.
    pub aged_at: Instant,
}

/// What only somebody outside can decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Whose token is this?
    Token(Box<str>),
    /// What does this token permit in the channel?
    Channel {
        /// The channel.
        channel: ChannelName,
        /// The token.
        token: Box<str>,
    },
    /// Was everything granted to this client before `issued` taken back?
    Grant(Box<Grant>),
    /// May somebody come in now who brings neither? The rules allow it.
    Nobody,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The token is this client's.
    Identity(Box<Identity>),
    /// The token permits this.
    Channel(ChannelGrant),
    /// The grant still stands.
    Stands,
    /// Not now: too many come at once, and this one is to come back after this time.
    Later(Duration),
    /// The answer is no.
    Refused(Refusal),
}

/// What the session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Tell the client. While nobody is attached this is let go.
    Tell(Answer),
    /// Ask; the verdict comes by [`Session::handle_verdict`] with this number.
    Ask(u32, Question),
    /// Ask a channel's owner; the reply comes by [`Session::handle_reply`] with this number.
    /// With the number 0 no reply is needed.
    Request(u32, Request),
    /// The client reads this channel from now on.
    Begin(ChannelName, Followed),
    /// The client reads this channel no more.
    End(ChannelName),
    /// The client continues this older session: end that one quietly.
    Replace(SessionKey),
    /// Close the connection, once everything before this is written.
    Close(Close),
}

#[derive(Debug)]
enum Stage {
    Opening { until: Instant },
    Connecting(Box<Connecting>),
    Attached,
    Detached(Box<Away>),
    Ended,
}

/// A client that may come back.
#[derive(Debug)]
struct Away {
    until: Instant,
    /// Where it was a member when its connection was lost, and still counts as one for a while.
    lost: Vec<ChannelName>,
}

/// A `connect` that is being looked at.
#[derive(Debug)]
struct Connecting {
    id: u32,
    connect: Connect,
    grant: Option<Grant>,
    /// What the client said since.
    backlog: Vec<Numbered>,
}

/// What a number that was given out stands for.
#[derive(Debug)]
enum Asked {
    Connect,
    Refresh { id: u32 },
    RefreshChannel { id: u32, channel: ChannelName },
    Admit { id: u32, subscribe: Subscribe },
    Follow { id: u32, channel: ChannelName },
    Publish { id: u32, channel: ChannelName },
    History { id: u32, channel: ChannelName },
    Members { id: u32, channel: ChannelName },
}

#[derive(Debug)]
struct Following {
    channel: ChannelName,
    /// The number of the request to its owner.
    number: u32,
    /// Whether the owner has said yes.
    on: bool,
    /// Whether the client is a member.
    member: bool,
}

/// One client's state on a node.
#[derive(Debug)]
pub struct Session {
    rules: Arc<Rules>,
    opening: Opening,
    stage: Stage,
    /// `None` for an anonymous client.
    identity: Option<Box<Identity>>,
    grants: Vec<ChannelGrant>,
    following: SmallVec<[Following; 1]>,
    heartbeat: Heartbeat,
    rate: Rate,
    floods: u32,
    repeats: Repeats,
    asked: Vec<(u32, Asked)>,
    numbers: u32,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A session whose client has yet to say `connect`.
    pub fn new(now: Now, rules: Arc<Rules>, opening: Opening) -> Self {
        Self {
            opening,
            stage: Stage::Opening { until: now.instant.after(rules.limits.connect_timeout) },
            identity: None,
            grants: Vec::new(),
            following: SmallVec::new(),
            heartbeat: Heartbeat::default(),
            rate: Rate::default(),
            floods: 0,
            repeats: Repeats::default(),
            asked: Vec::new(),
            numbers: 0,
            outputs: VecDeque::new(),
            rules,
        }
    }

    /// Something came from the client, whatever it was.
    pub fn handle_heard(&mut self) {
        self.heartbeat.handle_heard();
    }

    /// A question was answered.
    pub fn handle_verdict(&mut self, now: Now, number: u32, verdict: Verdict) {
        match self.take_asked(number) {
            Some(Asked::Connect) => self.admit(now, verdict),
            Some(Asked::Refresh { id }) => self.refreshed(now, id, verdict),
            Some(Asked::RefreshChannel { id, channel }) => {
                self.refreshed_channel(now, id, channel, verdict);
            }
            Some(Asked::Admit { id, subscribe }) => self.admitted(now, id, subscribe, verdict),
            _ => {}
        }
    }

    /// The connection is gone. The client may come back until the session expires.
    pub fn handle_detach(&mut self, now: Now) {
        if !matches!(self.stage, Stage::Attached) {
            self.stage = Stage::Ended;
            return;
        }
        let members = self.following.iter().filter(|following| following.member);
        let lost = members.map(|following| following.channel.clone()).collect();
        self.leave_all(true);
        let until = now.instant.after(self.rules.expiry);
        self.stage = Stage::Detached(Box::new(Away { until, lost }));
    }

    /// Time has passed; the client was last written to at `sent_at`.
    pub fn handle_timeout(&mut self, now: Now, sent_at: Instant) {
        match &self.stage {
            Stage::Opening { until } if *until <= now.instant => {
                self.close(Code::ConnectTimeout.into());
            }
            Stage::Detached(away) if away.until <= now.instant => self.stage = Stage::Ended,
            Stage::Attached if self.opening.aged_at <= now.instant => {
                self.close(Close { after: Some(Duration::ZERO), ..Code::Aged.into() });
            }
            Stage::Attached => {
                self.end_expired(now);
                self.beat(now, sent_at);
            }
            _ => {}
        }
    }

    fn refuse(&mut self, id: u32, channel: Option<ChannelName>, refusal: Refusal) {
        self.tell(id, Event::Refused { channel, refusal });
    }

    /// The client goes for good, and says so; perhaps only after its connection has ended.
    pub fn leave(&mut self) {
        self.leave_all(false);
        if let Stage::Detached(away) = std::mem::replace(&mut self.stage, Stage::Ended) {
            away.lost.into_iter().for_each(|channel| self.exit(channel, false));
        }
    }

    /// Ends the connection, and the session with it.
    pub fn close(&mut self, close: Close) {
        if matches!(self.stage, Stage::Ended) {
            return;
        }
        self.leave_all(close.reconnect());
        self.tell(0, Event::Closing(close.clone()));
        self.stage = Stage::Ended;
        self.outputs.push_back(Output::Close(close));
    }

    /// What it wants done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if self.outputs.is_empty() && self.outputs.capacity() > 0 {
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing is sent in between.
    pub fn poll_timeout(&self, now: Now, sent_at: Instant) -> Option<Instant> {
        match &self.stage {
            Stage::Opening { until } => Some(*until),
            Stage::Detached(away) => Some(away.until),
            Stage::Attached => {
                let beat = self.heartbeat.poll_timeout(sent_at, self.pace());
                let beat = beat.min(self.opening.aged_at);
                Some(self.expiry(now).map_or(beat, |expiry| beat.min(expiry)))
            }
            Stage::Connecting(_) | Stage::Ended => None,
        }
    }

    /// The secret by which requests find it.
    pub fn key(&self) -> SessionKey {
        self.opening.key
    }

    /// The client's public name.
    pub fn client(&self) -> ClientId {
        self.opening.client
    }

    /// What the client's token said.
    pub fn identity(&self) -> &Identity {
        self.identity.as_deref().unwrap_or(Identity::nobody())
    }

    /// Whether it is over and may be forgotten.
    pub fn ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    /// Whether the client has been let in.
    pub fn connected(&self) -> bool {
        matches!(self.stage, Stage::Attached | Stage::Detached(_))
    }

    /// The channels it follows.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        self.following.iter().filter(|following| following.on).map(|following| &following.channel)
    }

    fn pace(&self) -> Pace {
        let pong = self.opening.answers.then_some(self.rules.pong);
        Pace { ping: self.rules.ping, pong }
    }

    fn beat(&mut self, now: Now, sent_at: Instant) {
        if self.ended() {
            return;
        }
        let pace = self.pace();
        match self.heartbeat.handle_timeout(now.instant, sent_at, pace) {
            Some(Beat::Ping) => self.tell(0, Event::Ping),
            Some(Beat::Lost) => self.close(Code::PongMissing.into()),
            None => {}
        }
    }

    /// Tells the client, for whom `close` is the last word.
    fn tell(&mut self, id: u32, event: Event) {
        if self.ended() {
            return;
        }
        self.outputs.push_back(Output::Tell(Answer { id, event }));
    }

    /// Tells of something done, unless the client asked for no answer.
    fn answer(&mut self, id: u32, event: Event) {
        if id != 0 {
            self.tell(id, event);
        }
    }

    fn refuse_in(&mut self, id: u32, channel: &ChannelName, refusal: impl Into<Refusal>) {
        self.refuse(id, Some(channel.clone()), refusal.into());
    }

    fn ask(&mut self, asked: Asked, question: Question) {
        let number = self.number(asked);
        self.outputs.push_back(Output::Ask(number, question));
    }

    fn request(&mut self, asked: Asked, request: Request) -> u32 {
        let number = self.number(asked);
        self.outputs.push_back(Output::Request(number, request));
        number
    }

    fn number(&mut self, asked: Asked) -> u32 {
        self.numbers = self.numbers.wrapping_add(1).max(1);
        self.asked.push((self.numbers, asked));
        self.numbers
    }

    fn take_asked(&mut self, number: u32) -> Option<Asked> {
        let index = self.asked.iter().position(|(n, _)| *n == number)?;
        let (_, asked) = self.asked.swap_remove(index);
        if self.asked.is_empty() {
            self.asked = Vec::new();
        }
        Some(asked)
    }

    fn namespace(&self, channel: &ChannelName) -> Result<&Namespace, Refusal> {
        let found = self.rules.namespaces.of(channel);
        found.map_err(|error| Refusal::because(Code::NamespaceUnknown, error.to_string()))
    }

    fn permitted(&self, now: Now, channel: &ChannelName, verb: Verb) -> Result<(), Refusal> {
        let namespace = self.namespace(channel)?;
        let decision = may(now.wall, self.identity(), &self.grants, namespace, channel, verb);
        decision.map_err(Refusal::from)
    }

    /// The instant of the earliest expiry among the token and the tokens for channels.
    fn expiry(&self, now: Now) -> Option<Instant> {
        let channels = self.grants.iter().filter_map(|grant| grant.expires);
        let earliest = channels.chain(self.identity().expires).min()?;
        let wait = Duration::from_millis(earliest.0.saturating_sub(now.wall.0));
        Some(now.instant.after(wait))
    }

    fn grant(&self, now: Now) -> (Box<str>, UnixMillis) {
        let lifetime = self.rules.grant_lifetime.as_millis() as u64;
        let latest = now.wall.plus_ms(lifetime);
        let expires = self.identity().expires.map_or(latest, |token| token.min(latest));
        let grant = Grant {
            client: self.opening.client,
            issued: now.wall,
            expires,
            identity: self.identity().clone(),
            channels: self.grants.clone(),
        };
        (self.rules.grant_key.sign(&grant), expires)
    }

    fn tell_grant(&mut self, now: Now) {
        let (grant, expires) = self.grant(now);
        self.tell(0, Event::Grant { grant, expires });
    }
}
