//! Settling: doing what sessions, lane and shard want done, until none of them wants anything.

use martlet_core::hub::{LaneOutput, PAGE_PUBLICATIONS};
use martlet_core::session::{Event, Output};

use super::*;

/// What a node calls itself among its members.
const HERE: NodeId = NodeId::new(0);

/// The ticket of questions without an answer.
const NOBODY: u64 = u64::MAX;

/// How long until pages that could not be read are asked for again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

impl Worker {
    pub(super) fn touch(&mut self, id: u64) {
        self.dirty.push_back(id);
    }

    pub(super) fn nobody(&self) -> ReplyTo {
        ReplyTo { lane: self.id, ticket: NOBODY }
    }

    pub(super) fn settle(&mut self, now: Now) {
        loop {
            if let Some(id) = self.dirty.pop_front() {
                self.settle_session(now, id);
            } else if let Some(output) = self.lane.poll_output() {
                self.do_for_lane(now, output);
            } else if let Some(output) = self.shard.poll_output() {
                self.do_for_shard(now, output);
            } else {
                return;
            }
        }
    }

    fn do_for_shard(&mut self, now: Now, output: ShardOutput) {
        match output {
            ShardOutput::Store(ticket, request) => match self.attend(&request) {
                Some(reply) => self.shard.handle_store(now, ticket, reply),
                None => self.effects.push_back(Effect::Store(ticket, request)),
            },
            ShardOutput::Reply(to, reply) if to.lane == self.id => {
                self.take_reply(now, to.ticket, reply);
            }
            ShardOutput::Reply(to, reply) => self.post(to.lane, Letter::Reply(to.ticket, reply)),
            ShardOutput::Deliver(lane, delivery) => self.deliver(lane, delivery),
            ShardOutput::Announce(publication) => {
                self.effects.push_back(Effect::Announce(publication));
            }
            // News of every channel come to every node.
            ShardOutput::Listen(_) | ShardOutput::Unlisten(_) => {}
        }
    }

    /// What is asked about members is answered here: each node of the world has its own.
    fn attend(&mut self, request: &StoreRequest) -> Option<StoreReply> {
        let (channel, moved) = match request.clone() {
            StoreRequest::Enter { channel, member } => {
                let moved = self.roster.enter(HERE, &channel, member);
                (channel, moved)
            }
            StoreRequest::Exit { channel, client } => {
                let moved = self.roster.exit(HERE, &channel, client);
                (channel, moved)
            }
            StoreRequest::Members { channel, limit } => {
                let (members, count) = self.roster.members(&channel, limit);
                return Some(StoreReply::Members { members, count });
            }
            StoreRequest::Append { .. } | StoreRequest::Read(_) => return None,
        };
        let news = moved.map(|moved| News::Moved(channel, moved));
        news.into_iter().for_each(|news| self.shard.handle_news(news));
        Some(StoreReply::Done)
    }

    fn deliver(&mut self, lane: LaneId, delivery: Delivery) {
        let moved = match &delivery {
            Delivery::Join { channel, member } => Some((channel, member, true)),
            Delivery::Leave { channel, member } => Some((channel, member, false)),
            _ => None,
        };
        if let Some((channel, member, came)) = moved {
            let note = Note::Moved(channel.clone(), member.client, came);
            self.effects.push_back(Effect::Note(note));
        }
        if lane == self.id {
            self.lane.deliver(&delivery, &mut self.encoders);
        } else {
            self.post(lane, Letter::Deliver(delivery));
        }
    }

    fn post(&mut self, to: LaneId, letter: Letter) {
        self.effects.push_back(Effect::Post(to, letter));
    }

    pub(super) fn take_reply(&mut self, now: Now, ticket: u64, reply: Reply) {
        match self.waiting.remove(&ticket) {
            Some(Waiting::Session(id, number)) => match self.entries.get_mut(&id) {
                Some(entry) => {
                    entry.session.handle_reply(number, reply);
                    self.touch(id);
                }
                None => self.give_back(now, reply),
            },
            Some(Waiting::Load(channel, after)) => match reply {
                Reply::Loaded(page) => {
                    self.lane.handle_loaded(&channel, after, &page, &mut self.encoders);
                }
                _ => {
                    self.lane.handle_load_failed(&channel, after);
                    self.retry_at.get_or_insert(now.instant.after(RETRY));
                }
            },
            None => {}
        }
    }

    /// A channel was followed for a session that is no more.
    fn give_back(&mut self, now: Now, reply: Reply) {
        if let Reply::Followed(followed) = reply {
            let unfollow = Request::Unfollow { channel: followed.channel };
            self.request(now, self.nobody(), unfollow);
        }
    }

    /// Brings a request to the owner of its channel.
    fn request(&mut self, now: Now, to: ReplyTo, request: Request) {
        let owner = request.channel().map_or(self.id, |channel| self.owner(channel));
        if owner == self.id {
            self.shard.handle_request(now, to, request);
        } else {
            self.post(owner, Letter::Request(to, request));
        }
    }

    fn ask_owner(&mut self, now: Now, waiting: Waiting, request: Request) {
        self.tickets += 1;
        self.waiting.insert(self.tickets, waiting);
        self.request(now, ReplyTo { lane: self.id, ticket: self.tickets }, request);
    }

    fn do_for_lane(&mut self, now: Now, output: LaneOutput) {
        match output {
            LaneOutput::Load { channel, after } => {
                let load =
                    Request::Load { channel: channel.clone(), after, limit: PAGE_PUBLICATIONS };
                self.ask_owner(now, Waiting::Load(channel, after), load);
            }
            LaneOutput::Lagged { reader, channel, offset, head } => {
                self.for_reader(reader, |session| session.handle_lagged(channel, offset, head));
            }
            LaneOutput::Doubted { reader, channel, offset, head } => {
                self.for_reader(reader, |session| session.handle_doubted(channel, offset, head));
            }
            LaneOutput::Gap { reader, gap } => {
                self.for_reader(reader, |session| session.handle_gap(gap));
            }
        }
    }

    fn for_reader(&mut self, reader: ReaderKey, tell: impl FnOnce(&mut Session)) {
        let Some(&id) = self.by_reader.get(&reader) else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        tell(&mut entry.session);
        self.touch(id);
    }

    fn settle_session(&mut self, now: Now, id: u64) {
        while let Some(output) = self.entries.get_mut(&id).and_then(|e| e.session.poll_output()) {
            self.do_for_session(now, id, output);
        }
        let Some(entry) = self.entries.get(&id) else { return };
        if entry.session.ended() && entry.connection.is_none() {
            return self.forget(id);
        }
        if let Some(plain) = &entry.plain {
            match &plain.refused {
                Some(refusal) => return self.turn_away(id, refusal.clone()),
                None if plain.unanswered == 0 => self.begin_plain(id),
                None => {}
            }
        }
        self.end_closing(id);
        self.arm(now, id);
    }

    fn forget(&mut self, id: u64) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.by_key.remove(&entry.session.key());
        entry.armed.into_iter().for_each(|at| {
            self.timers.remove(&(at, id));
        });
    }

    /// Sets the session's next deadline.
    pub(super) fn arm(&mut self, now: Now, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let patience = entry.blocked_since.map(|at| at.after(self.rules.limits.write_timeout));
        let session = entry.session.poll_timeout(now, self.lane.sent_at(entry.reader));
        let next = [patience, session].into_iter().flatten().min();
        let before = std::mem::replace(&mut entry.armed, next);
        before.into_iter().for_each(|at| {
            self.timers.remove(&(at, id));
        });
        self.timers.extend(next.map(|at| (at, id)));
    }

    fn do_for_session(&mut self, now: Now, id: u64, output: Output) {
        match output {
            Output::Tell(answer) => self.tell(id, answer),
            Output::Ask(number, question) => {
                self.effects.push_back(Effect::Ask(id, number, question));
            }
            Output::Request(0, request) => self.request(now, self.nobody(), request),
            Output::Request(number, request) => {
                self.ask_owner(now, Waiting::Session(id, number), request);
            }
            Output::Begin(channel, followed) => {
                let Some(entry) = self.entries.get(&id) else { return };
                if let Some(connection) = entry.connection {
                    self.lane.begin(entry.reader, &channel, &followed);
                    self.effects.push_back(Effect::Note(Note::Following(connection, channel)));
                    self.tell_place(id);
                }
            }
            Output::End(channel) => {
                let Some(entry) = self.entries.get(&id) else { return };
                self.lane.end(entry.reader, &channel);
                if let Some(connection) = entry.connection {
                    let lost = entry.session.ended();
                    let note = Note::NotFollowing(connection, channel, lost);
                    self.effects.push_back(Effect::Note(note));
                }
            }
            Output::Replace(key) if key.worker() == self.id.0 => self.replace(key),
            Output::Replace(key) => self.post(LaneId(key.worker()), Letter::Replace(key)),
            Output::Close(close) => self.close(id, close),
        }
    }

    pub(super) fn replace(&mut self, key: SessionKey) {
        let Some(&id) = self.by_key.get(&key) else { return };
        self.entries.get_mut(&id).into_iter().for_each(|entry| {
            entry.session.close(Code::Replaced.into());
        });
        self.touch(id);
    }

    fn tell(&mut self, id: u64, answer: Answer) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(connection) = entry.connection else { return };
        match &answer.event {
            Event::Connected(connected) => {
                let note = Note::Connected(connection, connected.client);
                self.effects.push_back(Effect::Note(note));
            }
            Event::Gap(gap) => {
                self.effects.push_back(Effect::Note(Note::Gap(connection, gap.clone())));
            }
            _ => {}
        }
        match entry.plain.as_mut() {
            Some(plain) => plain.hear(answer),
            None => self.push(id, &answer),
        }
    }

    /// Owes a client an event of its own. Whoever does not read is closed at the limit.
    fn push(&mut self, id: u64, answer: &Answer) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let place = match &answer.event {
            Event::Gap(_) if !entry.door.answers() => Some(self.lane.cursor(entry.reader)),
            _ => None,
        };
        let frame = self.encoders.answer(entry.door, answer, place.as_ref());
        if !frame.is_empty() && self.lane.push(entry.reader, frame).is_err() {
            entry.session.close(Code::Slow.into());
            self.touch(id);
        }
    }

    /// A plain stream's channels have been answered for: it begins.
    fn begin_plain(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(plain) = entry.plain.take() else { return };
        let (reader, door) = (entry.reader, entry.door);
        let mut frames = vec![self.encoders.opening()];
        frames.extend(plain.gaps.iter().map(|gap| self.encoders.answer(door, gap, None)));
        frames.push(self.encoders.place(&self.lane.cursor(reader)));
        // These are short and the first, so they cannot be over the limit.
        frames.into_iter().for_each(|frame| _ = self.lane.push(reader, frame));
        self.lane.unblock(reader);
    }

    /// A plain stream that has begun follows one channel more: its place is another now.
    fn tell_place(&mut self, id: u64) {
        let Some(entry) = self.entries.get(&id) else { return };
        if !entry.door.answers() && entry.plain.is_none() {
            let place = self.encoders.place(&self.lane.cursor(entry.reader));
            // A cursor is far smaller than what a reader may be owed.
            let _ = self.lane.push(entry.reader, place);
        }
    }

    fn close(&mut self, id: u64, close: Close) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.closing = true;
        if let Some(connection) = entry.connection {
            self.effects.push_back(Effect::Note(Note::Closed(connection, close)));
        }
    }

    /// A plain request cannot be followed: it is answered with that, and no stream begins.
    fn turn_away(&mut self, id: u64, refusal: Refusal) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.plain = None;
        let Some(connection) = entry.connection else { return };
        self.effects.push_back(Effect::Turn(connection, refusal));
        self.effects.push_back(Effect::Shut(connection));
    }

    /// Shuts a closing connection once its client was told why.
    pub(super) fn end_closing(&mut self, id: u64) {
        let Some(entry) = self.entries.get(&id).filter(|entry| entry.closing) else { return };
        if let (Some(connection), false) = (entry.connection, self.lane.owes(entry.reader)) {
            self.effects.push_back(Effect::Shut(connection));
        }
    }
}

impl PlainOpening {
    /// Keeps what a plain stream has to say when it begins.
    fn hear(&mut self, answer: Answer) {
        match &answer.event {
            Event::Subscribed(_) => self.unanswered = self.unanswered.saturating_sub(1),
            Event::Refused { refusal, .. } => _ = self.refused.get_or_insert(refusal.clone()),
            Event::Closing(close) => {
                let Close { code, detail, after, .. } = close.clone();
                self.refused.get_or_insert(Refusal { code, detail, after });
            }
            Event::Gap(_) => self.gaps.push(answer),
            _ => {}
        }
    }
}
