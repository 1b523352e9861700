//! A plain reader: what `EventSource` is. It follows its channels on one stream, remembers the
//! last id, and comes back with it. Each event is held against the record by the change of id.

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_core::model::{ChannelName, Cursor, Gap, Limits, Position, UnixMillis};
use martlet_core::session::{Connect, Event};
use martlet_core::time::Instant;
use martlet_protocol::native::json;
use martlet_protocol::plain::{Query, Request};

use crate::client::Line;
use crate::dice::Dice;
use crate::record::{Checked, Record, Violation, hold};
use crate::worker::ConnectionId;

/// A plain reader.
#[derive(Debug)]
pub struct Reader {
    /// What it follows.
    pub channels: Vec<ChannelName>,
    /// Whether it asks for whole publications.
    pub envelope: bool,
    /// Where its connection is.
    pub line: Line,
    /// Where it is in each channel, as the last id said.
    pub places: BTreeMap<ChannelName, Position>,
    /// The wake-up that the world has set for it.
    pub armed: Option<Instant>,
    /// How many publications it got.
    pub received: u64,
    /// The last id, as it was written.
    last_id: Option<String>,
    /// Where gaps lead that were told before the stream has begun.
    resumes: BTreeMap<ChannelName, Position>,
    /// Whether the stream has said where it begins.
    begun: bool,
    /// Whether the stream has said that it ends.
    closed: bool,
    arrived: Vec<u8>,
    heard_at: Instant,
    silence_max: Duration,
    retry: Duration,
    dice: Dice,
}

/// The fields of one event.
#[derive(Debug, Default)]
struct Fields<'a> {
    id: Option<&'a str>,
    event: Option<&'a str>,
    data: Option<&'a str>,
}

impl Reader {
    /// A reader of `channels` that begins at `start` and takes a stream for dead that is silent
    /// for `silence_max`.
    pub fn new(
        start: Instant,
        channels: Vec<ChannelName>,
        envelope: bool,
        silence_max: Duration,
        dice: Dice,
    ) -> Self {
        Self {
            channels,
            envelope,
            line: Line::Idle(start),
            places: BTreeMap::new(),
            armed: None,
            received: 0,
            last_id: None,
            resumes: BTreeMap::new(),
            begun: false,
            closed: false,
            arrived: Vec::new(),
            heard_at: start,
            silence_max,
            retry: Duration::from_secs(1),
            dice,
        }
    }

    /// When something is to be done: to connect, or to give the stream up.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.line {
            Line::Idle(at) => Some(at),
            Line::Open(_) => Some(self.heard_at.after(self.silence_max)),
            Line::Gone => None,
        }
    }

    /// The request that it makes.
    pub fn request(&self, now: UnixMillis) -> Connect {
        let channels = self.channels.iter().map(|channel| format!("channel={channel}"));
        let query = channels.collect::<Vec<_>>().join("&");
        let last_event_id = self.last_id.as_deref().map(str::as_bytes);
        let request = Request { query: &query, last_event_id, authorization: None };
        let query = Query::parse(request, &Limits::default(), now);
        query.expect("a reader's request is one that can be read").connect
    }

    /// Its connection is open.
    pub fn handle_open(&mut self, now: Instant, connection: ConnectionId) {
        self.line = Line::Open(connection);
        self.heard_at = now;
        (self.begun, self.closed) = (false, false);
        self.arrived.clear();
        self.resumes.clear();
    }

    /// Its connection is gone: it waits as it was told.
    pub fn handle_lost(&mut self, now: Instant) {
        if self.line != Line::Gone {
            let wait = self.retry.mul_f64(0.5 + self.dice.below(100) as f64 / 100.0);
            self.line = Line::Idle(now.after(wait));
        }
    }

    /// Whether it was told why its stream ends; one that never began was answered otherwise.
    pub fn was_told(&self) -> bool {
        self.closed || !self.begun
    }

    /// It leaves for good. Gives the connection that it drops.
    pub fn leave(&mut self) -> Option<ConnectionId> {
        match std::mem::replace(&mut self.line, Line::Gone) {
            Line::Open(connection) => Some(connection),
            Line::Idle(_) | Line::Gone => None,
        }
    }

    /// Bytes came.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8], record: &Record) -> Checked {
        self.heard_at = now;
        self.arrived.extend_from_slice(bytes);
        while let Some(end) = self.arrived.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.arrived.drain(..end + 2).collect();
            let block = std::str::from_utf8(&block);
            let block = block.map_err(|_| Violation("an event is not UTF-8".into()))?;
            self.handle_block(block, record)?;
        }
        Ok(())
    }

    fn handle_block(&mut self, block: &str, record: &Record) -> Checked {
        let mut fields = Fields::default();
        for line in block.lines() {
            match line.split_once(": ").unwrap_or((line, "")) {
                ("id", id) => fields.id = Some(id),
                ("event", event) => fields.event = Some(event),
                ("data", data) => fields.data = Some(data),
                ("retry", retry) => self.take_retry(retry)?,
                ("", _) | (":", _) => {}
                _ => return Err(Violation(format!("a line of no meaning: {line:?}"))),
            }
        }
        self.handle_event(&fields, record)
            .map_err(|Violation(why)| Violation(format!("{why}; at {:?}: {block:?}", self.places)))
    }

    fn take_retry(&mut self, retry: &str) -> Checked {
        let millis = retry.parse().map_err(|_| Violation(format!("retry: {retry}")))?;
        self.retry = Duration::from_millis(millis);
        Ok(())
    }

    fn handle_event(&mut self, fields: &Fields<'_>, record: &Record) -> Checked {
        hold(!self.closed, || "something after close".into())?;
        let cursor = fields.id.map(Cursor::parse).transpose();
        let cursor = cursor.map_err(|error| Violation(error.to_string()))?;
        match (fields.event, fields.data, &cursor) {
            (_, None, None) => return Ok(()),
            (None, None, Some(cursor)) => self.begin(cursor)?,
            (Some("gap"), Some(data), cursor) => {
                let Event::Gap(gap) = told("gap", data)? else { return unreadable(data) };
                self.take_gap(&gap, cursor.as_ref(), record)?;
            }
            (Some("lagged"), Some(data), None) => {
                let Event::Lagged { channel, offset, .. } = told("lagged", data)? else {
                    return unreadable(data);
                };
                let place = self.places.get(&channel).map(|place| place.offset);
                hold(place == Some(offset), || format!("lagged at {offset}"))?;
            }
            (Some("close"), Some(_), None) => self.closed = true,
            (_, Some(data), Some(cursor)) => self.take_publication(data, cursor, record)?,
            _ => return Err(Violation("an event without id".into())),
        }
        if let (Some(cursor), Some(id)) = (cursor, fields.id) {
            self.places = cursor.iter().cloned().collect();
            self.last_id = Some(id.into());
        }
        Ok(())
    }

    /// The stream says where it begins: in every channel, and nowhere but where the reader was
    /// or the gaps told before have brought it.
    fn begin(&mut self, cursor: &Cursor) -> Checked {
        hold(!std::mem::replace(&mut self.begun, true), || "a stream begins twice".into())?;
        for channel in &self.channels {
            let begins = cursor.position(channel);
            let was = self.resumes.remove(channel).or(self.places.get(channel).copied());
            hold(begins.is_some() && (was.is_none() || was == begins), || {
                format!("{channel}: a stream begins at {begins:?} for a reader at {was:?}")
            })?;
        }
        Ok(())
    }

    /// A gap moves the place in its channel. Before the stream has begun, the id that follows
    /// says so for all channels.
    fn take_gap(&mut self, gap: &Gap, cursor: Option<&Cursor>, record: &Record) -> Checked {
        // Whoever asked for the present may meet a gap before it was told where that is.
        let was = self.resumes.get(&gap.channel).or(self.places.get(&gap.channel));
        let fits = was.is_none_or(|was| gap.from == was.offset.saturating_add(1));
        let known = record.rank(&gap.channel, gap.resume.epoch).is_some();
        hold(
            fits && known && self.begun == cursor.is_some() && self.begun <= was.is_some(),
            || "a gap that does not fit".into(),
        )?;
        let Some(cursor) = cursor else {
            self.resumes.insert(gap.channel.clone(), gap.resume);
            return Ok(());
        };
        self.check_others(&gap.channel, cursor)?;
        let leads = cursor.position(&gap.channel) == Some(gap.resume);
        hold(leads, || "a gap that leads elsewhere".into())
    }

    /// A publication moves the place in its channel by one, and no other.
    fn take_publication(&mut self, data: &str, cursor: &Cursor, record: &Record) -> Checked {
        hold(self.begun, || "a publication before the beginning".into())?;
        let moved = |(channel, position): &&(ChannelName, Position)| {
            self.places.get(channel) != Some(position)
        };
        let moved = cursor.iter().find(moved);
        let (channel, position) =
            moved.ok_or_else(|| Violation("a publication that moves nothing".into()))?;
        self.check_others(channel, cursor)?;
        let was = self.places.get(channel).copied();
        let next = was.map(|was| Position { offset: was.offset + 1, ..was });
        hold(next == Some(*position), || format!("{channel}: {position:?} after {was:?}"))?;
        let taken = record.at(channel, *position);
        let taken = taken.ok_or_else(|| Violation("a publication that nobody took".into()))?;
        if self.envelope {
            let Event::Publication(told) = told("publication", data)? else {
                return unreadable(data);
            };
            hold(told == *taken, || format!("{told:?} instead of {taken:?}"))?;
        } else {
            let same = matches!(&taken.data, martlet_core::model::Data::Json(json) if json == data);
            hold(same, || format!("{data} instead of {taken:?}"))?;
        }
        self.received += 1;
        Ok(())
    }

    fn check_others(&self, moved: &ChannelName, cursor: &Cursor) -> Checked {
        for channel in self.channels.iter().filter(|channel| *channel != moved) {
            let (was, is) = (self.places.get(channel).copied(), cursor.position(channel));
            hold(was == is, || format!("{channel}: an id moved from {was:?} to {is:?} unasked"))?;
        }
        Ok(())
    }
}

/// What the data of an event says, in the words of the native protocol.
fn told(word: &str, data: &str) -> Result<Event, Violation> {
    let mut event = None;
    let native = format!("{{\"{word}\":{data}}}");
    let read = json::decode_answer(native.as_bytes(), |answer| event = Some(answer.event));
    read.map_err(|error| Violation(format!("{word}: {error}")))?;
    event.ok_or_else(|| Violation(format!("{word}: nothing")))
}

fn unreadable(data: &str) -> Checked {
    Err(Violation(format!("not what its name says: {data}")))
}
