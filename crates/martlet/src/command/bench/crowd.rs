//! All clients of one server, on one thread: opens them, waits for whichever is ready, and moves
//! it on. What arrives goes into the account.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};

use super::board::{Board, histogram};
use super::connection::{Connection, Stage};
use super::door::Door;
use super::interrupt;
use crate::failure::Failure;

/// What one read takes at most.
const READ_BYTES: usize = 256 * 1024;

/// Events taken in one turn.
const EVENTS: usize = 1024;

/// Events taken in one turn where somebody waits for its end.
const SHORT_TURN: usize = 16;

/// How long a turn lasts at most, so that an interruption is noticed.
const TURN: Duration = Duration::from_millis(50);

/// The clients of one server.
pub struct Crowd {
    door: Door,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    message: Vec<u8>,
    /// What was published and has arrived.
    pub board: Board,
    /// Connections that ended or never began, by reason.
    pub failures: BTreeMap<String, usize>,
    opening: usize,
    joined: Histogram<u64>,
}

/// How opening went.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Connections that were let in.
    pub opened: u64,
    /// How long all of them took together.
    pub elapsed: Duration,
    /// How long each took, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Crowd {
    /// Clients of the server behind `door`, none yet, who will share so many channels.
    pub fn new(door: &Door, channels: usize) -> Result<Self, Failure> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC);
        let epoll = epoll.map_err(|error| Failure::failed(format!("cannot wait: {error}")))?;
        Ok(Self {
            door: door.clone(),
            epoll,
            connections: Vec::new(),
            buffer: vec![0; READ_BYTES],
            events: Vec::with_capacity(EVENTS),
            message: Vec::new(),
            board: Board::new(channels),
            failures: BTreeMap::new(),
            opening: 0,
            joined: histogram(),
        })
    }

    /// How many clients there have been.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// A client, if it is there.
    pub fn client(&mut self, index: usize) -> Option<&mut Connection> {
        self.connections.get_mut(index).filter(|client| client.stage == Stage::Open)
    }

    /// The server's door.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// What is readable when there is something for [`turn`](Self::turn) to do.
    pub fn waiting(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Looks at so few clients in one turn that others are not kept waiting.
    pub fn take_short_turns(&mut self) {
        self.events = Vec::with_capacity(SHORT_TURN);
    }

    /// Drops all clients at once, without a word.
    pub fn vanish(mut self) {
        self.connections.iter_mut().for_each(|client| client.stage = Stage::Gone);
    }

    /// Begins with clients for the next channels, as long as fewer than `parallel` are on their
    /// way in.
    pub fn begin_some(
        &mut self,
        channels: &mut impl Iterator<Item = Option<usize>>,
        parallel: usize,
    ) {
        while self.opening < parallel.max(1) {
            let Some(channel) = channels.next() else { break };
            self.begin(channel);
        }
    }

    /// Opens a client for each of `channels`, `parallel` of them at a time.
    pub fn open(
        &mut self,
        channels: impl Iterator<Item = Option<usize>>,
        parallel: usize,
        patience: Duration,
    ) -> Result<Opened, Failure> {
        let begun = Instant::now();
        let mut channels = channels.peekable();
        while channels.peek().is_some() || self.opening > 0 {
            self.begin_some(&mut channels, parallel);
            if begun.elapsed() > patience {
                self.abandon("the server did not let it in in time");
                break;
            }
            self.turn(TURN)?;
        }
        let latency = std::mem::replace(&mut self.joined, histogram());
        let opened = latency.len();
        Ok(Opened { opened, elapsed: begun.elapsed(), latency })
    }

    fn begin(&mut self, channel: Option<usize>) {
        let client = Connection::begin(&self.door, channel).and_then(|client| {
            let number = epoll::EventData::new_u64(self.connections.len() as u64);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT;
            epoll::add(&self.epoll, client.socket(), number, flags)?;
            Ok(client)
        });
        match client {
            Ok(client) => {
                self.opening += 1;
                self.connections.push(client);
            }
            Err(error) => self.fail(format!("cannot connect: {error}")),
        }
    }

    fn fail(&mut self, why: String) {
        *self.failures.entry(why).or_default() += 1;
    }

    /// Gives up those that are not open yet.
    fn abandon(&mut self, why: &str) {
        let waiting: Vec<usize> = (0..self.connections.len())
            .filter(|index| !matches!(self.connections[*index].stage, Stage::Open | Stage::Gone))
            .collect();
        waiting.into_iter().for_each(|index| self.drop_client(index, why.to_owned()));
    }

    /// Waits until something happens, at most for so long, and does what is to be done.
    pub fn turn(&mut self, timeout: Duration) -> Result<(), Failure> {
        interrupt::check()?;
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let timeout = Timespec::try_from(timeout.min(TURN)).expect("the longest turn is short");
        let waited =
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout));
        match waited {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::failed(format!("cannot wait: {error}"))),
        }
        for event in &events {
            let (index, flags) = (event.data.u64() as usize, event.flags);
            self.serve(index, flags);
        }
        self.events = events;
        Ok(())
    }

    fn serve(&mut self, index: usize, flags: epoll::EventFlags) {
        let client = &mut self.connections[index];
        let (stage, waited) = (client.stage, client.waits);
        if stage == Stage::Gone {
            return;
        }
        let mut outcome = Ok(());
        if flags.intersects(epoll::EventFlags::OUT | epoll::EventFlags::ERR) {
            outcome = client.flush(&self.door);
        }
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if outcome.is_ok() && flags.intersects(readable) {
            outcome = client.read(&self.door, &mut self.board, &mut self.buffer);
        }
        let joined = stage != Stage::Open && client.stage == Stage::Open;
        if joined {
            self.opening -= 1;
            let took = client.begun.elapsed().as_nanos();
            self.joined.saturating_record(u64::try_from(took).unwrap_or(u64::MAX));
            client.place.iter().for_each(|place| self.board.join(place.channel));
        }
        match outcome {
            Ok(()) => self.rearm(index, waited),
            Err(why) => self.drop_client(index, why),
        }
    }

    /// Sends what a client has said.
    pub fn flush(&mut self, index: usize) {
        let Self { connections, door, .. } = self;
        let client = connections.get_mut(index).filter(|client| client.stage == Stage::Open);
        let Some(client) = client else { return };
        let waited = client.waits;
        match client.flush(door) {
            Ok(()) => self.rearm(index, waited),
            Err(why) => self.drop_client(index, why),
        }
    }

    /// A client publishes; [`flush`](Self::flush) sends it.
    pub fn publish(&mut self, index: usize, channel: usize, data: &[u8]) {
        self.message.clear();
        let Self { connections, message, door, .. } = self;
        if let Some(client) = connections.get_mut(index) {
            client.dialect.publish(door, channel, data, message);
            client.say(message);
        }
    }

    /// Waits for room only while there is something to write.
    fn rearm(&mut self, index: usize, waited: bool) {
        let client = &self.connections[index];
        if client.waits == waited {
            return;
        }
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, client.waits);
        let number = epoll::EventData::new_u64(index as u64);
        if let Err(error) = epoll::modify(&self.epoll, client.socket(), number, flags) {
            let error = io::Error::from(error);
            self.drop_client(index, format!("the connection was lost: {error}"));
        }
    }

    fn drop_client(&mut self, index: usize, why: String) {
        let client = &mut self.connections[index];
        match client.stage {
            Stage::Gone => return,
            Stage::Open => client.place.iter().for_each(|place| self.board.leave(place)),
            _ => self.opening -= 1,
        }
        client.stage = Stage::Gone;
        // A socket that cannot be taken out is not waited for any more anyhow.
        let _ = epoll::delete(&self.epoll, client.socket());
        let _ = client.socket().shutdown(std::net::Shutdown::Both);
        self.fail(why);
    }

    /// Nobody waits for what has not arrived.
    pub fn give_up(&mut self) {
        self.board.give_up();
        let places = self.connections.iter_mut().filter_map(|client| client.place.as_mut());
        places.for_each(super::board::Place::lose);
    }

    /// Whether the account is right as far as it was looked at.
    pub fn check(&self) -> Result<(), Failure> {
        let name = &self.door.name;
        match &self.board.wrong {
            None => Ok(()),
            Some(wrong) => {
                Err(Failure::failed(format!("{name}: the figures cannot be trusted: {wrong}")))
            }
        }
    }

    /// Why the first of the failed clients failed, for when none is left.
    pub fn first_failure(&self) -> String {
        let why = self.failures.keys().next().map_or("nobody was let in", String::as_str);
        format!("{}: {why}", self.door.name)
    }

    /// What to say about clients that failed.
    pub fn failure_notes(&self, name: &str) -> impl Iterator<Item = String> {
        self.failures.iter().map(move |(why, count)| format!("{name}: {count} connections: {why}"))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.connections.iter_mut().for_each(|client| client.part(&self.door));
    }
}
