//! Where a transcript is played: a worker, a store, and connections that are written to.

use std::collections::{BTreeMap, BTreeSet};

use martlet_core::hub::LaneId;
use martlet_core::model::{
    ChannelName, ClientId, Close, Code, NodeId, Refusal, SessionKey, SessionPlace, UnixMillis,
};
use martlet_core::port::Store;
use martlet_core::presence::Holder;
use martlet_core::session::{Answer, Event, Opening, Request};
use martlet_core::time::{Instant, Now};
use martlet_protocol::native::{json, proto};
use martlet_protocol::plain;
use martlet_protocol::vectors::{Line, parse_duration, parse_line};

use super::names::Grants;
use super::setting::{BEGINNING, Setting};
use super::{Grammar, Said};
use crate::shelf::Shelf;
use crate::wire::{Door, take_frame};
use crate::worker::{ConnectionId, Effect, Worker};

/// How many readers one sweep visits: all.
const ALL: usize = usize::MAX;

/// How many pings a flood has.
const FLOOD: usize = 1_000;

pub(super) struct Stage {
    setting: Setting,
    grammar: Grammar,
    now: Instant,
    worker: Worker,
    store: Shelf,
    grants: Grants,
    /// What was written to each connection and is not a line yet.
    written: BTreeMap<u32, Vec<u8>>,
    stalled: BTreeSet<u32>,
}

type Acted = Result<(), String>;

impl Stage {
    pub fn new(setting: Setting, grammar: Grammar) -> Self {
        let worker = Worker::new(LaneId(0), 1, setting.rules.clone(), 1);
        Self {
            setting,
            grammar,
            now: Instant(0),
            worker,
            store: Shelf::default(),
            grants: Grants::default(),
            written: BTreeMap::new(),
            stalled: BTreeSet::new(),
        }
    }

    /// Does what these lines say; gives what the server says then.
    pub fn act(&mut self, done: &[&str]) -> Result<Said, String> {
        let Some((first, more)) = done.split_first() else { return Ok(Said::new()) };
        let mut quiet = false;
        match parse_line(first)? {
            Line::Open(connection) => self.open(connection),
            Line::Cut(connection) => self.cut(connection),
            Line::Wait(wait) => self.pass(self.now.after(wait)),
            Line::Hub(words) => {
                quiet = words.starts_with("flood ");
                self.hub(words)?;
            }
            Line::Client(connection, text) => {
                let more = more.iter().filter_map(|line| match parse_line(line) {
                    Ok(Line::ClientMore(_, text)) => Some(text),
                    _ => None,
                });
                let lines: Vec<&str> = std::iter::once(text).chain(more).collect();
                self.send(connection, &lines)?;
            }
            _ => {}
        }
        self.run();
        Ok(self.take_said(quiet))
    }

    fn now(&self) -> Now {
        let wall: UnixMillis = BEGINNING.plus_ms(self.now.0 / 1_000);
        Now { instant: self.now, wall }
    }

    /// Lets time pass, stopping wherever something is due.
    fn pass(&mut self, until: Instant) {
        self.run();
        while let Some(at) = self.worker.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let now = self.now();
            self.worker.handle_timeout(now);
            self.run();
        }
        self.now = until;
    }

    /// Does what the worker wants until it wants nothing.
    fn run(&mut self) {
        loop {
            while let Some(effect) = self.worker.poll_effect() {
                self.carry(effect);
            }
            if !self.worker.any_marked() {
                return;
            }
            let (now, written, stalled) = (self.now(), &mut self.written, &self.stalled);
            self.worker.sweep(now, ALL, |connection, slices| {
                let number = connection.0 as u32;
                if stalled.contains(&number) {
                    return 0;
                }
                let bytes = written.entry(number).or_default();
                let before = bytes.len();
                slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
                bytes.len() - before
            });
        }
    }

    fn carry(&mut self, effect: Effect) {
        let now = self.now();
        match effect {
            Effect::Post(_, letter) => self.worker.handle_letter(now, letter),
            Effect::Store(ticket, request) => {
                self.store.submit(now, ticket, request);
                while let Some((ticket, reply)) = self.store.poll_reply() {
                    self.worker.handle_store(now, ticket, reply);
                }
            }
            Effect::Ask(session, number, question) => {
                let verdict = self.setting.judge(now.wall, &question);
                self.worker.handle_verdict(now, session, number, verdict);
            }
            Effect::Shut(connection) => self.worker.handle_closed(now, connection),
            Effect::Turn(connection, refusal) => self.turn_away(connection.0 as u32, refusal),
            Effect::Announce(_) | Effect::Note(_) => {}
        }
    }

    fn open(&mut self, connection: u32) {
        let door = match self.grammar {
            Grammar::Json => Door::Json,
            Grammar::Proto => Door::Proto,
            // A plain connection begins with its request.
            Grammar::Plain => return,
        };
        let (now, opening) = (self.now(), opening(connection, true));
        self.worker.handle_open(now, ConnectionId(connection.into()), door, opening, None);
    }

    fn cut(&mut self, connection: u32) {
        let now = self.now();
        self.worker.handle_closed(now, ConnectionId(connection.into()));
    }

    fn send(&mut self, connection: u32, lines: &[&str]) -> Acted {
        let (now, id) = (self.now(), ConnectionId(connection.into()));
        let text = lines.join("\n");
        match self.grammar {
            Grammar::Json => {
                let frame = self.grants.real_in_json(&text);
                self.worker.handle_frame(now, id, frame.as_bytes());
            }
            Grammar::Proto => {
                let frame = self.grants.real_in_proto(from_hex(&text)?);
                self.worker.handle_frame(now, id, &frame);
            }
            Grammar::Plain => self.request(connection, lines)?,
        }
        Ok(())
    }

    /// A plain request: its address, then its headers.
    fn request(&mut self, connection: u32, lines: &[&str]) -> Acted {
        let (address, headers) = lines.split_first().ok_or("a request has an address")?;
        let header = |name: &str| {
            let found = headers.iter().find_map(|line| line.strip_prefix(name));
            found.and_then(|rest| rest.strip_prefix(": ")).map(str::as_bytes)
        };
        let request = plain::Request {
            query: address.split_once('?').map_or("", |(_, query)| query),
            last_event_id: header("Last-Event-ID"),
            authorization: header("Authorization"),
        };
        let (now, limits) = (self.now(), &self.setting.rules.limits);
        match plain::Query::parse(request, limits, now.wall) {
            Err(refused) => self.turn_away(connection, refused.refusal),
            Ok(query) => {
                let several = query.connect.subscribe.len() > 1;
                let door = Door::Plain { envelope: query.envelope, several };
                let (id, opening) = (ConnectionId(connection.into()), opening(connection, false));
                self.worker.handle_open(now, id, door, opening, Some(query.connect));
            }
        }
        Ok(())
    }

    /// A plain request is answered with a status and a body.
    fn turn_away(&mut self, connection: u32, refusal: Refusal) {
        let status = refusal.code.http_status();
        let mut error = Vec::new();
        let event = Event::Refused { channel: None, refusal };
        json::encode_answer(&Answer { id: 0, event }, &mut error);
        let body = error.strip_prefix(b"{\"error\":").and_then(|rest| rest.strip_suffix(b"}"));
        let out = self.written.entry(connection).or_default();
        out.extend_from_slice(format!("HTTP {status}\n").as_bytes());
        out.extend_from_slice(body.unwrap_or(&error));
        out.push(b'\n');
    }

    fn hub(&mut self, words: &str) -> Acted {
        let now = self.now();
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        let mut args = rest.split(' ');
        let mut next = || args.next().filter(|arg| !arg.is_empty()).ok_or("more is to be said");
        match verb {
            "publish" => {
                let draft = json::decode_draft(rest.as_bytes(), &self.setting.rules.limits);
                let draft = draft.map_err(|refused| refused.refusal.message())?;
                self.worker.handle_request(now, Request::Publish(draft));
            }
            "subscribe" => {
                let (connection, channel) = (number(next()?)?, channel(next()?)?);
                self.worker.with_session(now, connection, |session| {
                    session.follow_by_backend(now, channel);
                });
            }
            "unsubscribe" => {
                let (connection, channel) = (number(next()?)?, channel(next()?)?);
                let code = code(next()?)?;
                self.worker.with_session(now, connection, |session| {
                    session.end_subscription(&channel, code.into());
                });
            }
            "close" => {
                let (connection, code) = (number(next()?)?, code(next()?)?);
                let advice: Vec<_> = std::iter::from_fn(|| next().ok()).collect();
                let advised = |name| advice.iter().find_map(|word| word.strip_prefix(name));
                let after = advised("after=").and_then(parse_duration);
                let node = advised("node=").map(Into::into);
                let close = Close { after, node, ..code.into() };
                self.worker.with_session(now, connection, |session| session.close(close));
            }
            "flood" => {
                let connection = number(next()?)?;
                let mut ping = b"{\"ping\":{}}".to_vec();
                if self.grammar == Grammar::Proto {
                    ping.clear();
                    let command = martlet_core::session::Command::Ping;
                    let numbered = martlet_core::session::Numbered { id: 0, command };
                    proto::encode_command(&numbered, &mut ping);
                }
                (0..FLOOD).for_each(|_| {
                    self.worker.handle_frame(now, connection, &ping);
                    self.run();
                });
            }
            "stall" => _ = self.stalled.insert(number(next()?)?.0 as u32),
            "unstall" => {
                let connection = number(next()?)?;
                self.stalled.remove(&(connection.0 as u32));
                self.worker.handle_writable(connection);
            }
            "reset" => self.store.forget(&channel(next()?)?),
            "fail" => self.store.fail_next(),
            other => return Err(format!("hub {other}?")),
        }
        Ok(())
    }

    /// What was written since, as lines; `quiet` leaves out refusals.
    fn take_said(&mut self, quiet: bool) -> Said {
        let mut said = Said::new();
        for (connection, mut bytes) in std::mem::take(&mut self.written) {
            let lines = match self.grammar {
                Grammar::Plain => plain_lines(&bytes),
                Grammar::Json => frames(&mut bytes)
                    .filter(|frame| !(quiet && json_refusal(frame)))
                    .map(|frame| self.grants.name_in_json(&String::from_utf8_lossy(&frame)))
                    .collect(),
                Grammar::Proto => frames(&mut bytes)
                    .filter(|frame| !(quiet && proto_refusal(frame)))
                    .map(|frame| to_hex(&self.grants.name_in_proto(&frame)))
                    .collect(),
            };
            said.insert(connection, lines);
        }
        said.retain(|_, lines: &mut Vec<String>| !lines.is_empty());
        said
    }
}

/// What a session of this connection begins with: names that can be foreseen.
fn opening(connection: u32, answers: bool) -> Opening {
    Opening {
        key: SessionKey::new(
            SessionPlace { node: NodeId::new(0), worker: 0, slot: 0 },
            connection.into(),
        ),
        client: ClientId::new(connection.into()),
        holder: Holder(connection.into()),
        answers,
        member: true,
        aged_at: Instant::NEVER,
    }
}

fn frames(bytes: &mut Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
    std::iter::from_fn(|| take_frame(bytes))
}

fn json_refusal(frame: &[u8]) -> bool {
    let mut refusal = false;
    let read = json::decode_answer(frame, |it| refusal = matches!(it.event, Event::Refused { .. }));
    read.is_ok() && refusal
}

fn proto_refusal(frame: &[u8]) -> bool {
    let mut refusal = false;
    let read =
        proto::decode_answer(frame, |it| refusal = matches!(it.event, Event::Refused { .. }));
    read.is_ok() && refusal
}

/// The lines of a plain stream. The order of an event's fields is nobody's business; here they
/// come as transcripts have them.
fn plain_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    for event in lines.split_mut(String::is_empty) {
        let rank = |line: &String| {
            let field = line.split(':').next().unwrap_or_default();
            ["retry", "id", "event", "data"].iter().position(|known| *known == field)
        };
        if event.iter().all(|line| rank(line).is_some()) {
            event.sort_by_key(rank);
        }
    }
    lines
}

fn number(text: &str) -> Result<ConnectionId, String> {
    text.parse().map(ConnectionId).map_err(|_| format!("{text} is no connection"))
}

fn channel(text: &str) -> Result<ChannelName, String> {
    ChannelName::parse(text).map_err(|error| error.to_string())
}

fn code(text: &str) -> Result<Code, String> {
    let code = text.parse().ok().and_then(Code::from_number);
    code.ok_or_else(|| format!("{text} is no code"))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(|pair| byte(pair).ok_or_else(|| format!("{text} is not hexadecimal"))).collect()
}
