//! What the world tells a worker: connections, frames, letters, replies and the time.

use super::*;

impl Worker {
    /// A connection came. Its session begins; a plain one says `connect` by its request.
    pub fn handle_open(
        &mut self,
        now: Now,
        connection: ConnectionId,
        door: Door,
        opening: Opening,
        connect: Option<Connect>,
    ) {
        let session = Session::new(now, Arc::clone(&self.rules), opening);
        let reader = self.lane.add_reader(now.instant, door.wire());
        let id = self.sessions;
        self.sessions += 1;
        self.by_connection.insert(connection, id);
        self.by_key.insert(opening.key, id);
        self.by_reader.insert(reader, id);
        let plain = connect.as_ref().map(|connect| PlainOpening {
            unanswered: connect.subscribe.len(),
            ..PlainOpening::default()
        });
        if plain.is_some() {
            self.lane.block(reader);
        }
        let mut entry = Entry {
            session,
            reader,
            connection: Some(connection),
            door,
            plain,
            closing: false,
            blocked_since: None,
            armed: None,
        };
        if let Some(connect) = connect {
            let command = martlet_core::session::Command::Connect(connect);
            let numbered = martlet_core::session::Numbered { id: 0, command };
            entry.session.handle_command(now, numbered);
        }
        self.entries.insert(id, entry);
        self.touch(id);
        self.settle(now);
    }

    /// The client sent a frame.
    pub fn handle_frame(&mut self, now: Now, connection: ConnectionId, frame: &[u8]) {
        let Some(&id) = self.by_connection.get(&connection) else { return };
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.closing) else { return };
        let (session, limits) = (&mut entry.session, &self.rules.limits);
        session.handle_heard();
        if frame.len() > limits.frame_bytes {
            session.close(Code::LargeFrame.into());
        } else {
            take_frame(now, session, entry.door, frame, limits);
        }
        self.touch(id);
        self.settle(now);
    }

    /// The connection is gone.
    pub fn handle_closed(&mut self, now: Now, connection: ConnectionId) {
        let Some(id) = self.by_connection.remove(&connection) else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let channels: Vec<_> = entry.session.channels().cloned().collect();
        for channel in channels {
            let note = Note::NotFollowing(connection, channel, true);
            self.effects.push_back(Effect::Note(note));
        }
        entry.session.handle_detach(now);
        entry.connection = None;
        let reader = entry.reader;
        self.touch(id);
        self.settle(now);
        self.by_reader.remove(&reader);
        self.lane.remove_reader(reader);
    }

    /// The connection takes bytes again.
    pub fn handle_writable(&mut self, connection: ConnectionId) {
        let entry = self.by_connection.get(&connection).and_then(|id| self.entries.get_mut(id));
        if let Some(entry) = entry.filter(|entry| entry.plain.is_none()) {
            entry.blocked_since = None;
            self.lane.unblock(entry.reader);
        }
    }

    /// Another worker said something.
    pub fn handle_letter(&mut self, now: Now, letter: Letter) {
        match letter {
            Letter::Request(to, request) => self.shard.handle_request(now, to, request),
            Letter::Reply(ticket, reply) => self.take_reply(now, ticket, reply),
            Letter::Deliver(delivery) => self.lane.deliver(&delivery, &mut self.encoders),
            Letter::Replace(key) => self.replace(key),
        }
        self.settle(now);
    }

    /// The store answered.
    pub fn handle_store(&mut self, now: Now, ticket: StoreTicket, reply: StoreReply) {
        self.shard.handle_store(now, ticket, reply);
        self.settle(now);
    }

    /// The engine tells what it heard.
    pub fn handle_news(&mut self, now: Now, news: News) {
        self.shard.handle_news(news);
        self.settle(now);
    }

    /// The backend asks something of which it hears no answer.
    pub fn handle_request(&mut self, now: Now, request: Request) {
        let to = self.nobody();
        self.shard.handle_request(now, to, request);
        self.settle(now);
    }

    /// A token was judged.
    pub fn handle_verdict(&mut self, now: Now, session: u64, number: u32, verdict: Verdict) {
        let Some(entry) = self.entries.get_mut(&session) else { return };
        entry.session.handle_verdict(now, number, verdict);
        self.touch(session);
        self.settle(now);
    }

    /// Does something to the session of a connection, as the backend may.
    pub fn with_session(
        &mut self,
        now: Now,
        connection: ConnectionId,
        act: impl FnOnce(&mut Session),
    ) {
        let Some(&id) = self.by_connection.get(&connection) else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        act(&mut entry.session);
        self.touch(id);
        self.settle(now);
    }

    /// Deadlines may have come.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(&(at, id)) = self.timers.first().filter(|(at, _)| *at <= now.instant) {
            self.timers.remove(&(at, id));
            self.time_out(now, id);
        }
        self.shard.handle_timeout(now);
        if self.retry_at.is_some_and(|at| at <= now.instant) {
            self.retry_at = None;
            self.lane.retry();
        }
        self.settle(now);
    }

    fn time_out(&mut self, now: Now, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.armed = None;
        entry.session.handle_timeout(now, self.lane.sent_at(entry.reader));
        let patience = self.rules.limits.write_timeout;
        if entry.blocked_since.is_some_and(|since| since.after(patience) <= now.instant) {
            entry.session.close(Code::Slow.into());
            entry.connection.into_iter().for_each(|connection| {
                self.effects.push_back(Effect::Shut(connection));
            });
        }
        self.touch(id);
    }
}

/// Reads a frame and lets the session have what is in it.
fn take_frame(now: Now, session: &mut Session, door: Door, frame: &[u8], limits: &Limits) {
    let read = {
        let sink = |command: Result<_, martlet_protocol::Refused>| match command {
            Ok(numbered) => session.handle_command(now, numbered),
            Err(refused) => {
                session.handle_refused(now, refused.id, refused.channel, refused.refusal)
            }
        };
        match door {
            Door::Proto => proto::decode(frame, limits, sink),
            _ => json::decode(frame, limits, sink),
        }
    };
    if let Err(error) = read {
        session.close(error.close());
    }
}
