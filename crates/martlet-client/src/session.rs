//! The client's session, pure: bytes and time in, frames and outputs out. It knows no socket, no
//! clock, no randomness and no task; `driver` carries out what it decides.
//!
//! It is composed of small machines: [`credentials`] (who the client is), [`channels`] (what it
//! follows and where it stands), [`requests`] (what it waits for), [`outbox`] (what is to be
//! sent), [`heartbeat`] (is the server there) and [`retry`] (when to come back). What is here
//! joins them: the phase of the connection, and who gets which answer.
//!
//! After every `handle_*` or verb, drain [`Session::poll_output`] until it returns `None`, and
//! send [`Session::poll_frame`] when the transport has room.

mod answers;
mod channels;
mod connecting;
mod credentials;
mod following;
mod heartbeat;
mod outbox;
mod output;
mod pauses;
mod requests;
mod retry;
mod target;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::{ChannelName, Code, Position, SessionKey};
use martlet_core::session::{Command, History, Numbered, Refresh, Start, Subscribe};
use martlet_core::time::{Instant, Now};

use crate::address::Address;
use crate::codec;
use crate::error::{Error, Refused};
use crate::message::Message;
use crate::options::Wire;
use channels::{Channels, Effects};
use credentials::Credentials;
use following::Following;
use heartbeat::Heartbeat;
use outbox::{Outbox, Oversized};
use pauses::Pauses;
use requests::Requests;
use target::Target;

pub use output::{Connection, Dial, Output, Reply, State, SubscriptionEvent, Ticket};
pub use retry::{Advice, Permit, Retry};

/// What a session is told when it is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's address, as the application gave it.
    pub home: Address,
    /// How frames are written.
    pub wire: Wire,
    /// The first token.
    pub token: Option<Box<str>>,
    /// Whether the application can give other tokens.
    pub renewable: bool,
    /// Name and version of the client software.
    pub agent: Box<str>,
    /// The shortest wait after a try that failed.
    pub backoff_min: Duration,
    /// The longest wait before coming back.
    pub backoff_max: Duration,
    /// How long a connection may take to begin.
    pub connect_timeout: Duration,
    /// How long a request may wait for its answer.
    pub answer_timeout: Duration,
    /// The most requests that wait.
    pub waiting: usize,
    /// The most bytes that they hold.
    pub waiting_bytes: usize,
    /// Whether subscriptions that the server begins are taken.
    pub take_offered: bool,
}

/// How a subscription begins.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// Where.
    pub start: Start,
    /// The application's token for the channel.
    pub token: Option<Box<str>>,
    /// Whether the application can give others.
    pub renewable: bool,
}

/// What the connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Nothing yet.
    Idle,
    /// Waits for a token, before dialling.
    Tokenless,
    /// The transport opens, or `connect` of this number is not answered yet.
    Dialing { id: u32, until: Instant },
    /// Connected.
    Open,
    /// Waits to come back.
    Away { until: Instant },
    /// Stays away.
    Ended(Error),
}

/// The client's session.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    credentials: Credentials,
    channels: Channels,
    requests: Requests,
    outbox: Outbox,
    heartbeat: Heartbeat,
    retry: Retry,
    /// For the try that waits for its token. Without one nothing is dialled.
    permit: Option<Permit>,
    target: Target,
    pauses: Pauses,
    outputs: VecDeque<Output>,
    connect_timeout: Duration,
    take_offered: bool,
    /// Idempotency keys are this, which no other client has, and a number.
    key_stem: String,
    keys: u64,
}

impl Session {
    /// A session that has not begun. `random` are bits that no other client has.
    pub fn new(settings: Settings, random: u128) -> Self {
        let Settings { wire, token, renewable, agent, .. } = settings;
        let (min, max) = (settings.backoff_min, settings.backoff_max);
        let (limit, bytes) = (settings.waiting, settings.waiting_bytes);
        Self {
            phase: Phase::Idle,
            credentials: Credentials::new(token, renewable, agent),
            channels: Channels::default(),
            requests: Requests::new(limit, bytes, settings.answer_timeout),
            outbox: Outbox::new(wire),
            heartbeat: Heartbeat::default(),
            retry: Retry::new(min, max),
            permit: None,
            target: Target::new(&settings.home),
            pauses: Pauses::new(min, max, random as u64),
            outputs: VecDeque::new(),
            connect_timeout: settings.connect_timeout,
            take_offered: settings.take_offered,
            key_stem: format!("{random:032x}"),
            keys: 0,
        }
    }

    /// Why it stays away, if it does.
    pub fn ended(&self) -> Option<&Error> {
        match &self.phase {
            Phase::Ended(why) => Some(why),
            _ => None,
        }
    }

    /// The secret by which uplink requests of one-way transports find the server's session.
    pub fn key(&self) -> Option<SessionKey> {
        self.credentials.session()
    }

    /// The position in each channel that has one.
    pub fn positions(&self) -> Vec<(ChannelName, Position)> {
        self.channels.positions()
    }

    /// Begins: connects, and stays connected until it is told to end.
    pub fn start(&mut self, now: Now) {
        if self.phase == Phase::Idle {
            self.begin(now);
        }
    }

    /// Begins to follow a channel.
    pub fn subscribe(&mut self, channel: ChannelName, beginning: Beginning) -> Result<(), Error> {
        self.alive()?;
        let Beginning { start, token, renewable } = beginning;
        let effects = self.channels.add(channel, Following::new(start, token, renewable))?;
        self.apply(effects);
        Ok(())
    }

    /// Stops following a channel.
    pub fn unsubscribe(&mut self, channel: &ChannelName) {
        let effects = self.channels.remove(channel);
        self.apply(effects);
    }

    /// The reader of `channel` takes no more and stands at `before`: the channel is left, and
    /// nothing of it is told until [`go_on`](Self::go_on).
    pub fn pause(&mut self, channel: &ChannelName, before: Start) {
        let effects = self.channels.pause(channel, before);
        self.apply(effects);
    }

    /// The reader of a paused channel has room again.
    pub fn go_on(&mut self, channel: &ChannelName) {
        let effects = self.channels.go_on(channel);
        self.apply(effects);
    }

    /// Publishes. While there is no connection it waits, and a retry publishes once.
    pub fn publish(
        &mut self,
        now: Now,
        channel: ChannelName,
        message: Message,
    ) -> Result<Ticket, Error> {
        self.keys += 1;
        let message = match message.keyed() {
            true => message,
            false => message.key(format!("{}-{}", self.key_stem, self.keys)),
        };
        let size = message.size();
        self.request(now, Command::Publish(message.draft(channel)), size)
    }

    /// Asks for a page of history.
    pub fn history(&mut self, now: Now, history: History) -> Result<Ticket, Error> {
        self.request(now, Command::History(history), 0)
    }

    /// Asks who is in a channel.
    pub fn presence(&mut self, now: Now, channel: ChannelName) -> Result<Ticket, Error> {
        self.request(now, Command::Presence(channel), 0)
    }

    /// Asks for a sign of life.
    pub fn ping(&mut self, now: Now) -> Result<Ticket, Error> {
        self.request(now, Command::Ping, 0)
    }

    /// Ends for good.
    pub fn close(&mut self, now: Now) {
        if self.alive().is_ok() {
            self.lose(now, Error::Closed, Advice::Never);
        }
    }

    /// Something came that is no frame, such as a comment of an event stream.
    pub fn handle_heard(&mut self, now: Now) {
        self.heartbeat.handle_heard(now);
    }

    /// The connection ended, or could not be made.
    pub fn handle_closed(&mut self, now: Now, why: Error, advice: Advice) {
        match (&self.phase, &why) {
            (Phase::Dialing { .. }, Error::Refused(refused)) => {
                let code = Code::from_number(refused.code);
                self.refused(now, why.clone(), code, advice);
            }
            (Phase::Dialing { .. } | Phase::Open, _) => self.lose(now, why, advice),
            _ => {}
        }
    }

    /// The application gave a token for `channel`, or for the connection; or could not.
    pub fn handle_token(
        &mut self,
        now: Now,
        channel: Option<ChannelName>,
        token: Result<Box<str>, Error>,
    ) {
        match channel {
            Some(channel) => {
                let pauses = &mut self.pauses;
                let effects = self.channels.handle_token(now, &channel, token, pauses);
                self.apply(effects);
            }
            None => self.handle_own_token(now, token),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        match self.phase {
            Phase::Away { until } if until <= now.instant => self.begin(now),
            Phase::Dialing { until, .. } if until <= now.instant => {
                self.lose(now, Error::Timeout("the answer to connect"), Advice::None);
            }
            Phase::Open if due(self.heartbeat.poll_timeout(), now) => {
                self.lose(now, Error::Timeout("a sign of life"), Advice::None);
            }
            Phase::Open if due(self.credentials.poll_timeout(), now) => self.fetch(),
            _ => {}
        }
        self.requests.handle_timeout(now);
        while let Some(ticket) = self.requests.poll_overdue(now) {
            self.outbox.forget(ticket);
            self.outputs.push_back(Output::Reply(ticket, Err(Error::Timeout("the answer"))));
        }
        let effects = self.channels.handle_timeout(now);
        self.apply(effects);
    }

    /// What is to be done outside.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether there is a frame to be sent.
    pub fn has_frame(&self) -> bool {
        let requests = self.outbox.has_requests() && self.requests.may_send();
        self.phase == Phase::Open && (self.outbox.has_commands() || requests)
    }

    /// The next frame to be sent. What waits goes into one frame as far as it fits.
    pub fn poll_frame(&mut self) -> Option<Bytes> {
        if self.phase != Phase::Open {
            return None;
        }
        let (frame, oversized) = self.outbox.poll_frame(&mut self.requests);
        oversized.into_iter().for_each(|oversized| self.refuse_oversized(oversized));
        frame
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Away { until } | Phase::Dialing { until, .. } => Some(until),
            Phase::Open => earliest(self.heartbeat.poll_timeout(), self.credentials.poll_timeout()),
            Phase::Idle | Phase::Tokenless | Phase::Ended(_) => None,
        };
        earliest(earliest(own, self.requests.poll_timeout()), self.channels.poll_timeout())
    }

    fn alive(&self) -> Result<(), Error> {
        self.ended().map_or(Ok(()), |why| Err(why.clone()))
    }

    fn request(&mut self, now: Now, command: Command, size: usize) -> Result<Ticket, Error> {
        self.alive()?;
        let ticket = self.requests.add(now, command, size)?;
        if self.phase == Phase::Open {
            self.outbox.push_request(ticket);
        }
        Ok(ticket)
    }

    /// Carries out what a channel wants.
    fn apply(&mut self, effects: Effects) {
        self.outputs.extend(effects.outputs);
        if self.phase != Phase::Open {
            return;
        }
        if !effects.leave.is_empty() {
            self.outbox.push(Command::Unsubscribe(effects.leave));
        }
        self.ask_for(effects.ask);
    }

    /// Queues commands that ask for `channels`, each small enough for a frame.
    fn ask_for(&mut self, channels: Vec<ChannelName>) {
        let mut rest = channels.into_iter().peekable();
        while rest.peek().is_some() {
            let id = self.outbox.number();
            let asked = self.ask_some(&mut rest, id, 0);
            if !asked.is_empty() {
                self.outbox.push_numbered(Numbered { id, command: Command::Subscribe(asked) });
            }
        }
    }

    /// As many of `channels` as fit beside `used` bytes, asked for by command `id`.
    fn ask_some(
        &mut self,
        channels: &mut std::iter::Peekable<impl Iterator<Item = ChannelName>>,
        id: u32,
        used: usize,
    ) -> Vec<Subscribe> {
        let granted = self.credentials.granted();
        let (mut asked, mut bytes) = (Vec::new(), used);
        while let Some(channel) = channels.peek() {
            if !asked.is_empty() && bytes >= self.outbox.frame_bytes() / 2 {
                break;
            }
            if let Some(subscribe) = self.channels.ask(channel, id, granted) {
                bytes += written_size(&subscribe);
                asked.push(subscribe);
            }
            channels.next();
        }
        asked
    }

    fn refuse_oversized(&mut self, oversized: Oversized) {
        let error = Error::from(Refused::new(None, &Code::FrameTooLarge.into()));
        match oversized {
            Oversized::Request(ticket) => {
                self.requests.remove(ticket);
                self.outputs.push_back(Output::Reply(ticket, Err(error)));
            }
            Oversized::Command(Numbered { command: Command::Subscribe(channels), .. }) => {
                for Subscribe { channel, .. } in channels {
                    self.channels.remove(&channel);
                    let last = SubscriptionEvent::Error(error.clone());
                    self.outputs.push_back(Output::Ended { channel, last });
                }
            }
            // Only a refresh is left that can be large. The server ends the connection when the
            // old token does, and the next `connect` brings the new one, with the server's reason.
            Oversized::Command(_) => {}
        }
    }
}

/// At most how many bytes the words for one channel take, with every byte of its name escaped.
fn written_size(subscribe: &Subscribe) -> usize {
    let token = subscribe.token.as_ref().map_or(0, |token| token.len());
    6 * subscribe.channel.as_str().len() + token + 96
}

fn due(deadline: Option<Instant>, now: Now) -> bool {
    deadline.is_some_and(|deadline| deadline <= now.instant)
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}
