//! The task behind a client: it asks the session what is to be done and does it. It decides
//! nothing about the protocol; see `session`.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use martlet_core::model::{ChannelName, UnixMillis};
use martlet_core::session::{History, Start};
use martlet_core::time::Now;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::Error;
use crate::message::Message;
use crate::session::{Advice, Beginning, Output, Reply, Session, State, SubscriptionEvent, Ticket};
use crate::states::Board;
use crate::subscription::{Delivery, Reader, Subscription, pair};
use crate::token::{TokenRequest, TokenSource};
use crate::transport::{Dialer, Incoming, Link, Outgoing};

/// How an answer gets back to whoever asked.
pub type Answer = oneshot::Sender<Result<Reply, Error>>;

/// What a client's handles ask of its task.
#[derive(Debug)]
pub enum Request {
    /// Connect.
    Start,
    /// Follow a channel.
    Subscribe {
        channel: ChannelName,
        beginning: Beginning,
        source: Option<TokenSource>,
        reader: Reader,
        done: oneshot::Sender<Result<(), Error>>,
    },
    /// Publish.
    Publish(ChannelName, Message, Answer),
    /// Read a page of history.
    History(History, Answer),
    /// See who is in a channel.
    Presence(ChannelName, Answer),
    /// Ask for a sign of life.
    Ping(Answer),
    /// Tell every position.
    Positions(oneshot::Sender<Vec<(ChannelName, martlet_core::model::Position)>>),
    /// Cut the connection, as a network would.
    Cut,
    /// End, and say when it is done.
    Close(oneshot::Sender<()>),
}

/// What a driver is made of.
#[derive(Debug)]
pub struct Parts {
    pub session: Session,
    pub dialer: Dialer,
    pub source: Option<TokenSource>,
    pub requests: mpsc::Receiver<Request>,
    pub handle: mpsc::WeakSender<Request>,
    pub board: Arc<Board>,
    pub bell: Arc<Notify>,
    pub offers: mpsc::Sender<Subscription>,
    pub room: usize,
    pub start: bool,
}

/// The task's state.
#[derive(Debug)]
pub struct Driver {
    parts: Parts,
    epoch: Instant,
    link: Option<Link>,
    readers: HashMap<ChannelName, Reader>,
    sources: HashMap<ChannelName, TokenSource>,
    answers: HashMap<Ticket, Answer>,
    tokens: JoinSet<Fetched>,
    closing: Vec<oneshot::Sender<()>>,
}

/// A token that was fetched, and the channel it is for.
type Fetched = (Option<ChannelName>, Result<Box<str>, Error>);

/// What happened next.
enum Step {
    Asked(Option<Request>),
    Came(Option<Incoming>),
    Room(OwnedPermit<Outgoing>),
    Token(Option<ChannelName>, Result<Box<str>, Error>),
    Bell,
    Time,
}

impl Driver {
    /// A driver that has not begun.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            epoch: Instant::now(),
            link: None,
            readers: HashMap::new(),
            sources: HashMap::new(),
            answers: HashMap::new(),
            tokens: JoinSet::new(),
            closing: Vec::new(),
        }
    }

    /// Drives the session until it has ended.
    pub async fn run(mut self) {
        if self.parts.start {
            self.parts.session.start(self.now());
        }
        let mut parting = None;
        while self.parts.session.ended().is_none() {
            self.settle(&mut parting);
            let step = self.step().await;
            self.take(step);
        }
        self.settle(&mut parting);
        if let Some(link) = parting {
            link.part().await;
        }
        for closed in self.closing {
            // Whoever asked may have gone.
            let _ = closed.send(());
        }
    }

    fn now(&self) -> Now {
        let passed = u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        Now { instant: martlet_core::time::Instant(passed), wall: UnixMillis(wall) }
    }

    async fn step(&mut self) -> Step {
        let wants_room = self.parts.session.has_frame();
        let deadline = self.parts.session.poll_timeout();
        let deadline = deadline.map(|at| self.epoch + Duration::from_micros(at.0));
        let outgoing = self.link.as_ref().map(|link| link.outgoing.clone());
        tokio::select! {
            request = self.parts.requests.recv() => Step::Asked(request),
            incoming = incoming(&mut self.link) => Step::Came(incoming),
            permit = room(outgoing), if wants_room => Step::Room(permit),
            Some(fetched) = self.tokens.join_next() => match fetched {
                Ok((channel, token)) => Step::Token(channel, token),
                // Only the application's own code can panic in there; which token it was for is
                // not known, and the connection's timeouts ask again.
                Err(error) => Step::Token(None, Err(Error::Token(error.to_string()))),
            },
            () = self.parts.bell.notified() => Step::Bell,
            () = until(deadline) => Step::Time,
        }
    }

    fn take(&mut self, step: Step) {
        let now = self.now();
        match step {
            Step::Asked(Some(request)) => self.take_request(now, request),
            Step::Asked(None) => self.parts.session.close(now),
            Step::Came(Some(Incoming::Frame(frame))) => {
                self.parts.session.handle_frame(now, &frame);
            }
            Step::Came(Some(Incoming::Heard)) => self.parts.session.handle_heard(now),
            Step::Came(Some(Incoming::Closed(why, advice))) => self.handle_closed(why, advice),
            Step::Came(None) => {
                self.handle_closed(Error::Lost("its task ended".into()), Advice::None);
            }
            Step::Room(permit) => self.send(permit),
            Step::Token(channel, token) => self.parts.session.handle_token(now, channel, token),
            Step::Bell => self.look_at_readers(),
            Step::Time => self.parts.session.handle_timeout(now),
        }
    }

    fn handle_closed(&mut self, why: Error, advice: Advice) {
        self.link = None;
        let now = self.now();
        self.parts.session.handle_closed(now, why, advice);
    }

    fn send(&mut self, permit: OwnedPermit<Outgoing>) {
        let session = self.parts.session.key();
        if let Some(frame) = self.parts.session.poll_frame() {
            permit.send(Outgoing { frame, session });
        }
    }

    fn take_request(&mut self, now: Now, request: Request) {
        let session = &mut self.parts.session;
        let (asked, answer) = match request {
            Request::Publish(channel, message, answer) => {
                (session.publish(now, channel, message), answer)
            }
            Request::History(history, answer) => (session.history(now, history), answer),
            Request::Presence(channel, answer) => (session.presence(now, channel), answer),
            Request::Ping(answer) => (session.ping(now), answer),
            Request::Subscribe { channel, beginning, source, reader, done } => {
                return self.subscribe(channel, beginning, source, reader, done);
            }
            Request::Start => return session.start(now),
            Request::Cut => {
                return self.handle_closed(Error::Lost("it was cut".into()), Advice::None);
            }
            Request::Close(done) => {
                self.closing.push(done);
                return session.close(now);
            }
            Request::Positions(answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(session.positions());
                return;
            }
        };
        match asked {
            Ok(ticket) => drop(self.answers.insert(ticket, answer)),
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    fn subscribe(
        &mut self,
        channel: ChannelName,
        beginning: Beginning,
        source: Option<TokenSource>,
        reader: Reader,
        done: oneshot::Sender<Result<(), Error>>,
    ) {
        // A subscription that was dropped a moment ago makes room for the new one.
        if self.readers.get(&channel).is_some_and(Reader::gone) {
            self.forget(&channel);
        }
        let begun = self.parts.session.subscribe(channel.clone(), beginning);
        if begun.is_ok() {
            self.readers.insert(channel.clone(), reader);
            if let Some(source) = source {
                self.sources.insert(channel, source);
            }
        }
        // Whoever asked may have gone; the subscription is then found closed.
        let _ = done.send(begun);
    }

    fn forget(&mut self, channel: &ChannelName) {
        self.readers.remove(channel);
        self.sources.remove(channel);
        self.parts.session.unsubscribe(channel);
    }

    /// Readers that went are forgotten, and those that have room again go on.
    fn look_at_readers(&mut self) {
        let gone = self.readers.iter().filter(|(_, reader)| reader.gone());
        let gone: Vec<ChannelName> = gone.map(|(channel, _)| channel.clone()).collect();
        gone.iter().for_each(|channel| self.forget(channel));
        let roomy = self.readers.iter().filter(|(_, reader)| reader.roomy_again());
        let roomy: Vec<ChannelName> = roomy.map(|(channel, _)| channel.clone()).collect();
        roomy.iter().for_each(|channel| self.parts.session.go_on(channel));
    }

    /// Does everything that the session wants done. A link that is to end by the client's will
    /// goes to `parting`.
    fn settle(&mut self, parting: &mut Option<Link>) {
        while let Some(output) = self.parts.session.poll_output() {
            match output {
                Output::Dial(dial) => self.link = Some(self.parts.dialer.dial(dial)),
                Output::HangUp => *parting = self.link.take(),
                Output::Fetch(channel) => self.fetch(channel),
                Output::State(state) => self.parts.board.write(state),
                Output::Event { channel, event, before } => self.deliver(&channel, event, before),
                Output::Ended { channel, last } => self.finish(&channel, last),
                Output::Offered(channel) => self.offer(channel),
                Output::Reply(ticket, reply) => self.answer(ticket, reply),
            }
        }
        // A connection that is given up while the client goes on is cut: the other side is silent
        // or says wrong things, and is owed no parting word.
        if self.parts.session.ended().is_none() {
            *parting = None;
        }
    }

    fn answer(&mut self, ticket: Ticket, reply: Result<Reply, Error>) {
        if let Some(answer) = self.answers.remove(&ticket) {
            // Whoever asked may have gone.
            let _ = answer.send(reply);
        }
    }

    fn fetch(&mut self, channel: Option<ChannelName>) {
        let source = match &channel {
            Some(channel) => self.sources.get(channel).or(self.parts.source.as_ref()),
            None => self.parts.source.as_ref(),
        };
        let source = source.cloned();
        self.tokens.spawn(async move {
            let Some(source) = source else {
                return (channel, Err(Error::Token("there is no source".into())));
            };
            let token = source.ask(TokenRequest { channel: channel.clone() }).await;
            (channel, token.map(String::into_boxed_str).map_err(Error::Token))
        });
    }

    fn deliver(&mut self, channel: &ChannelName, event: SubscriptionEvent, before: Start) {
        let Some(reader) = self.readers.get(channel) else { return };
        match reader.deliver(event) {
            Delivery::Done => {}
            Delivery::Full => self.parts.session.pause(channel, before),
            Delivery::Gone => self.forget(channel),
        }
    }

    fn finish(&mut self, channel: &ChannelName, last: SubscriptionEvent) {
        self.sources.remove(channel);
        if let Some(reader) = self.readers.remove(channel) {
            reader.end(last);
        }
    }

    /// Hands a subscription that the server began to the application, if it takes it.
    fn offer(&mut self, channel: ChannelName) {
        let Some(handle) = self.parts.handle.upgrade() else { return };
        let bell = self.parts.bell.clone();
        let (reader, subscription) = pair(channel.clone(), self.parts.room, bell, handle);
        match self.parts.offers.try_send(subscription) {
            Ok(()) => drop(self.readers.insert(channel, reader)),
            Err(_) => self.parts.session.unsubscribe(&channel),
        }
    }
}

async fn incoming(link: &mut Option<Link>) -> Option<Incoming> {
    match link {
        Some(link) => link.incoming.recv().await,
        None => pending().await,
    }
}

/// Room for one frame. A link that takes none any more says why by what comes in.
async fn room(outgoing: Option<mpsc::Sender<Outgoing>>) -> OwnedPermit<Outgoing> {
    let Some(outgoing) = outgoing else { return pending().await };
    match outgoing.reserve_owned().await {
        Ok(permit) => permit,
        Err(_) => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => pending().await,
    }
}

/// What the state says about why nothing can be asked any more.
pub fn why_ended(state: &State) -> Error {
    match state {
        State::Disconnected { why, .. } => why.clone(),
        _ => Error::Closed,
    }
}
