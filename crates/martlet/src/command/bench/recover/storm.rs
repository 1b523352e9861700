//! One return of all clients of one server: they follow, are dropped, miss something, and come
//! back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::live::{Live, MISSED};
use crate::command::bench::board::{Goal, histogram};
use crate::command::bench::crowd::Crowd;
use crate::command::bench::dialect::head;
use crate::command::bench::door::{Door, Seen};
use crate::command::bench::process::own_cpu;
use crate::command::bench::target::Target;
use crate::command::bench::{PARALLEL, opening_patience};
use crate::failure::Failure;

/// Publications that everybody has got before.
const BEFORE: u64 = 10;

/// How long a turn of those who return lasts at most, so that the live channel is on time.
const TURN: Duration = Duration::from_micros(200);

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is done.
#[derive(Debug)]
pub struct Storm {
    /// How many return.
    pub clients: usize,
    /// How many publications each has missed.
    pub behind: u64,
    /// How many are on their way in at once.
    pub parallel: usize,
    /// The length of their data.
    pub payload: usize,
    /// How long the live channel is measured before.
    pub before: Duration,
}

/// What one return came to.
#[derive(Debug, Clone)]
pub struct Round {
    /// Until everybody had everything.
    pub elapsed: Duration,
    /// The CPU time of the server.
    pub server: Option<Duration>,
    /// The CPU time of the generator.
    pub generator: Duration,
    /// Bytes read by those who returned.
    pub bytes: u64,
    /// When each had everything, in nanoseconds.
    pub reached: Histogram<u64>,
    /// Latency of the live channel before, and meanwhile.
    pub before: Histogram<u64>,
    /// The same meanwhile.
    pub during: Histogram<u64>,
    /// Publications that never came, and how often somebody was told so.
    pub missed: u64,
    /// How often somebody was told so.
    pub gaps: u64,
    /// Clients that did not get in, or were lost.
    pub lost: usize,
    /// What to say about those.
    pub failures: Vec<String>,
}

impl Round {
    /// Counts what another counted too.
    pub fn add(&mut self, other: &Self) {
        self.elapsed += other.elapsed;
        self.server = self.server.zip(other.server).map(|(one, other)| one + other);
        self.generator += other.generator;
        self.bytes += other.bytes;
        let same = "all histograms here have the same bounds";
        self.reached.add(&other.reached).expect(same);
        self.before.add(&other.before).expect(same);
        self.during.add(&other.during).expect(same);
        self.missed += other.missed;
        self.gaps += other.gaps;
        self.lost += other.lost;
    }
}

impl Storm {
    /// Publications that all clients together have missed.
    pub fn publications(&self) -> u64 {
        self.clients as u64 * self.behind
    }

    /// One return, by a door of this number.
    pub fn round(&self, target: &Target, number: usize) -> Result<Round, Failure> {
        let mut door = target.door.clone();
        door.number = number;
        let mut live = Live::open(&door, self.payload)?;
        self.follow(&door, &mut live)?;
        live.publish_missed(self.behind)?;
        let epoch = match target.is_loop() {
            true => "k3f9x2ab".to_owned(),
            false => epoch(&door, BEFORE + self.behind)?,
        };
        door.seen = Some(Seen { epoch, offset: BEFORE });
        let before = self.calm(&door, &mut live)?;
        self.come_back(target, &door, &mut live, before)
    }

    /// All follow the channel and get everything; then they are gone, without a word.
    fn follow(&self, door: &Door, live: &mut Live) -> Result<(), Failure> {
        let mut crowd = Crowd::new(door, 1)?;
        let all = (0..self.clients).map(|_| Some(MISSED));
        let opened = crowd.open(all, PARALLEL, opening_patience(self.clients))?;
        if opened.opened < self.clients as u64 {
            return Err(Failure::failed(crowd.first_failure()));
        }
        for _ in 0..BEFORE {
            crowd.board.publish(MISSED, Instant::now());
        }
        live.publish_missed(BEFORE)?;
        let begun = Instant::now();
        while crowd.board.under_way > 0 {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::failed(format!("{}: publications are lost", door.name)));
            }
            crowd.turn(PATIENCE)?;
        }
        crowd.check()?;
        crowd.vanish();
        Ok(())
    }

    /// The live channel while nobody returns, looked at as it is looked at while they do.
    fn calm(&self, door: &Door, live: &mut Live) -> Result<Histogram<u64>, Failure> {
        let mut nobody = Crowd::new(door, 1)?;
        let begun = Instant::now();
        live.begin();
        while begun.elapsed() < self.before {
            nobody.turn(TURN)?;
            live.turn()?;
        }
        live.latency()
    }

    fn come_back(
        &self,
        target: &Target,
        door: &Door,
        live: &mut Live,
        before: Histogram<u64>,
    ) -> Result<Round, Failure> {
        let mut crowd = Crowd::new(door, 1)?;
        crowd.take_short_turns();
        let all = BEFORE + self.behind;
        crowd.board.begin_after(MISSED, all);
        let (server, generator, begun) = (target.cpu(), own_cpu(), Instant::now());
        let reached = histogram();
        crowd.board.goal = Some(Goal { publications: all, begun, reached });
        live.begin();
        let mut clients = (0..self.clients).map(|_| Some(MISSED));
        let patience = opening_patience(self.clients);
        while !self.ended(&crowd) && begun.elapsed() < patience {
            crowd.begin_some(&mut clients, self.parallel);
            crowd.turn(TURN)?;
            live.turn()?;
        }
        let (elapsed, generator) = (begun.elapsed(), own_cpu().saturating_sub(generator));
        let server = target.cpu().zip(server).map(|(after, before)| after.saturating_sub(before));
        crowd.check()?;
        let tally = crowd.board.tally.clone();
        Ok(Round {
            elapsed,
            server,
            generator,
            bytes: tally.bytes,
            reached: crowd.board.goal.take().map_or_else(histogram, |goal| goal.reached),
            before,
            during: live.latency()?,
            missed: self.publications().saturating_sub(tally.deliveries),
            gaps: tally.gaps,
            lost: crowd.failures.values().sum(),
            failures: crowd.failure_notes(&target.name).collect(),
        })
    }

    /// Whether everybody has everything who was not lost.
    fn ended(&self, crowd: &Crowd) -> bool {
        let reached = crowd.board.goal.as_ref().map_or(0, |goal| goal.reached.len());
        let lost: usize = crowd.failures.values().sum();
        reached + lost as u64 >= self.clients as u64
    }
}

/// The identity of the history of the channel that is missed, as a poll says it; so many have been
/// published there.
fn epoch(door: &Door, published: u64) -> Result<String, Failure> {
    let unanswered =
        |why: String| Failure::failed(format!("{}: no cursor is to be had: {why}", door.name));
    let answer = ask(door).map_err(|error| unanswered(error.to_string()))?;
    let cursor = answer.split("\"cursor\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let mut parts = cursor.unwrap_or_default().split('.');
    let (offset, epoch) = (parts.next().unwrap_or_default(), parts.next());
    match epoch {
        Some(epoch) if offset == published.to_string() => Ok(epoch.to_owned()),
        _ => Err(unanswered(answer.lines().next().unwrap_or_default().to_owned())),
    }
}

fn ask(door: &Door) -> std::io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&door.address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (name, token, host) = (door.channel(MISSED), door.token_query(), &door.host);
    let path = format!("/v1/poll?wait=0&channel={name}{token}");
    socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..count]);
        if count == 0 || head(&answer).is_some_and(|head| head.end(&answer).is_some()) {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
    }
}
