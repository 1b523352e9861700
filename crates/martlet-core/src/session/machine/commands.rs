//! What the client asks: each command is checked here and becomes a question, a request, an
//! answer or a refusal.

use super::*;
use crate::model::{Draft, Publisher};
use crate::session::{History, Refresh, Start};

impl Session {
    /// The client sent a command.
    pub fn handle_command(&mut self, now: Now, numbered: Numbered) {
        let Numbered { id, command } = numbered;
        let room = self.rules.limits.commands_per_frame;
        match (&mut self.stage, command) {
            (Stage::Ended, _) => {}
            (Stage::Opening { .. }, Command::Connect(connect)) => self.connect(now, id, connect),
            (Stage::Opening { .. }, _) => self.handle_refused(now, id, None, Code::NotConnected),
            (_, Command::Connect(_)) => {
                self.handle_refused(now, id, None, Code::AlreadyConnected);
            }
            (Stage::Connecting(connecting), command) if connecting.backlog.len() < room => {
                connecting.backlog.push(Numbered { id, command });
            }
            (Stage::Connecting(_), _) => {
                self.handle_refused(now, id, None, Code::TooManyCommands);
            }
            (_, Command::Pong) => _ = self.handle_sign(now),
            (_, command) => self.take(now, id, command),
        }
    }

    /// A command came by a request of its own, which may be made again: what was taken before is
    /// not done again, and counts as a sign of life.
    pub fn handle_sent(&mut self, now: Now, numbered: Numbered) {
        match self.repeats.admit(numbered.id) {
            true => self.handle_command(now, numbered),
            false => _ = self.handle_sign(now),
        }
    }

    /// The client sent what is no command, or none that could be done: it counts like one, and is
    /// refused.
    pub fn handle_refused(
        &mut self,
        now: Now,
        id: u32,
        channel: Option<ChannelName>,
        refusal: impl Into<Refusal>,
    ) {
        match self.take_rate(now) {
            Ok(()) => self.refuse(id, channel, refusal.into()),
            Err(wait) => self.flood(id, wait),
        }
    }

    /// The client gave a sign of life that needs no answer of the session's, or sent nothing at
    /// all. Says whether the transport may answer it: each counts like a command, and whoever
    /// sends too many is not answered, and closed in the end.
    pub fn handle_sign(&mut self, now: Now) -> bool {
        let within = self.take_rate(now).is_ok();
        if !within {
            self.count_flood();
        }
        within
    }

    fn take(&mut self, now: Now, id: u32, command: Command) {
        if let Err(wait) = self.take_rate(now) {
            return self.flood(id, wait);
        }
        match command {
            Command::Subscribe(list) => self.subscribe_all(now, id, list),
            Command::Unsubscribe(channels) => {
                channels.iter().for_each(|channel| self.unsubscribe(id, channel));
            }
            Command::Publish(draft) => self.publish(now, id, draft),
            Command::History(history) => self.history(now, id, history),
            Command::Presence(channel) => self.members(now, id, channel),
            Command::Ping => self.answer(id, Event::Pong { time: now.wall }),
            Command::Refresh(refresh) => self.refresh(id, refresh),
            Command::Connect(_) | Command::Pong => {}
        }
    }

    fn take_rate(&mut self, now: Now) -> Result<(), Duration> {
        let Limits { commands_per_second, commands_burst, .. } = self.rules.limits;
        self.rate.take(now.instant, commands_per_second, commands_burst)?;
        self.floods = self.floods.saturating_sub(1);
        Ok(())
    }

    /// One more command was over the rate. Says whether the client is still there.
    fn count_flood(&mut self) -> bool {
        self.floods += 1;
        if self.floods > FLOOD_MAX {
            self.close(Code::FloodedCommands.into());
        }
        !self.ended()
    }

    fn flood(&mut self, id: u32, wait: Duration) {
        if self.count_flood() {
            self.refuse(id, None, Refusal::until(Code::RateLimited, wait));
        }
    }

    /// Follows channels by one command. To check a signature costs as much as many commands, so
    /// each token after the first counts as a command of its own.
    fn subscribe_all(&mut self, now: Now, id: u32, list: Vec<Subscribe>) {
        let mut tokens = 0;
        for subscribe in list {
            tokens += usize::from(subscribe.token.is_some());
            let counts = subscribe.token.is_some() && tokens > 1;
            match if counts { self.take_rate(now) } else { Ok(()) } {
                Ok(()) => self.subscribe(now, id, subscribe),
                Err(wait) => {
                    let refusal = Refusal::until(Code::RateLimited, wait);
                    self.refuse_in(id, &subscribe.channel, refusal);
                }
            }
        }
    }

    fn connect(&mut self, now: Now, id: u32, connect: Connect) {
        let mut grant = None;
        let question = match (&connect.grant, &connect.token) {
            (Some(text), _) => match self.rules.grant_key.verify(now.wall, text) {
                Ok(good) => {
                    grant = Some(good.clone());
                    Question::Grant(Box::new(good))
                }
                Err(error) => return self.turn_away(id, grant_code(error).into()),
            },
            (None, Some(token)) => Question::Token(token.clone()),
            (None, None) if !self.rules.anonymous => {
                return self.turn_away(id, Code::TokenMissing.into());
            }
            (None, None) => Question::Nobody,
        };
        let connecting = Connecting { id, connect, grant, backlog: Vec::new() };
        self.stage = Stage::Connecting(Box::new(connecting));
        self.ask(Asked::Connect, question);
    }

    /// The verdict on a `connect`.
    pub(super) fn admit(&mut self, now: Now, verdict: Verdict) {
        let stage = std::mem::replace(&mut self.stage, Stage::Attached);
        let Stage::Connecting(connecting) = stage else {
            self.stage = stage;
            return;
        };
        let Connecting { id, connect, grant, backlog } = *connecting;
        let resumed = grant.is_some() && connect.session.is_some();
        match (verdict, grant) {
            (Verdict::Identity(identity), None) => self.know(identity),
            (Verdict::Stands, Some(grant)) => {
                self.opening.client = grant.client;
                self.know(Box::new(grant.identity));
                self.grants = grant.channels;
            }
            (Verdict::Later(after), _) => {
                return self.close(Close { after: Some(after), ..Code::Busy.into() });
            }
            (Verdict::Refused(refusal), _) => return self.turn_away(id, refusal),
            _ => return self.turn_away(id, Code::Internal.into()),
        }
        if let Some(session) = connect.session.filter(|_| resumed) {
            self.outputs.push_back(Output::Replace(session));
        }
        self.tell_connected(now, id, resumed);
        self.follow_first(now, id, connect);
        backlog.into_iter().for_each(|numbered| self.handle_command(now, numbered));
    }

    /// Keeps who the client is, if it is anybody.
    fn know(&mut self, identity: Box<Identity>) {
        self.identity = Some(identity).filter(|identity| **identity != *Identity::nobody());
    }

    fn tell_connected(&mut self, now: Now, id: u32, resumed: bool) {
        let connected = Connected {
            client: self.opening.client,
            session: self.opening.key,
            user: self.identity().user.clone(),
            resumed,
            grant: self.grant(now).0,
            expires: self.identity().expires,
            ping: self.rules.ping,
            pong: self.rules.pong,
            time: now.wall,
            frame_bytes: self.rules.limits.frame_bytes,
        };
        self.tell(id, Event::Connected(Box::new(connected)));
    }

    /// Follows what `connect` asked for, and what the token names beyond that.
    fn follow_first(&mut self, now: Now, id: u32, connect: Connect) {
        let asked: Vec<_> = connect.subscribe.iter().map(|s| s.channel.clone()).collect();
        connect.subscribe.into_iter().for_each(|subscribe| self.subscribe(now, id, subscribe));
        let named = self.identity().channels.clone();
        for channel in named.into_iter().filter(|channel| !asked.contains(channel)) {
            let start = connect.cursor.position(&channel).map_or(Start::Now, Start::After);
            self.follow(now, 0, Subscribe { channel, token: None, start });
        }
    }

    /// A client whose `connect` failed is told why and closed; it comes back by itself only if
    /// that may help.
    fn turn_away(&mut self, id: u32, refusal: Refusal) {
        let code = if refusal.code.temporary() { Code::Failed } else { Code::Unauthorized };
        self.refuse(id, None, refusal);
        self.close(code.into());
    }

    fn publish(&mut self, now: Now, id: u32, mut draft: Draft) {
        let channel = draft.channel.clone();
        if let Err(refusal) = self.permitted(now, &channel, Verb::Publish) {
            return self.refuse_in(id, &channel, refusal);
        }
        let user = self.identity().user.clone();
        draft.from = Some(Publisher { client: self.opening.client, user });
        self.request(Asked::Publish { id, channel }, Request::Publish(draft));
    }

    fn history(&mut self, now: Now, id: u32, history: History) {
        let History { channel, start, limit, reverse } = history;
        if let Err(refusal) = self.permitted(now, &channel, Verb::History) {
            return self.refuse_in(id, &channel, refusal);
        }
        let limit = limit.min(self.rules.limits.history_page);
        let asked = Asked::History { id, channel: channel.clone() };
        self.request(asked, Request::Read { channel, start, limit, reverse });
    }

    fn members(&mut self, now: Now, id: u32, channel: ChannelName) {
        if let Err(refusal) = self.permitted(now, &channel, Verb::Presence) {
            return self.refuse_in(id, &channel, refusal);
        }
        let limit = self.rules.limits.presence_page;
        let asked = Asked::Members { id, channel: channel.clone() };
        self.request(asked, Request::Members { channel, limit });
    }

    fn refresh(&mut self, id: u32, refresh: Refresh) {
        let Refresh { channel, token } = refresh;
        match channel {
            None => self.ask(Asked::Refresh { id }, Question::Token(token)),
            Some(channel) => {
                let asked = Asked::RefreshChannel { id, channel: channel.clone() };
                self.ask(asked, Question::Channel { channel, token });
            }
        }
    }

    pub(super) fn refreshed(&mut self, now: Now, id: u32, verdict: Verdict) {
        match verdict {
            Verdict::Identity(identity) if identity.user == self.identity().user => {
                self.know(identity);
                let expires = self.identity().expires;
                self.answer(id, Event::Refreshed { channel: None, expires });
                self.tell_grant(now);
            }
            Verdict::Refused(refusal) => self.refuse(id, None, refusal),
            _ => self.refuse(id, None, Code::TokenMismatch.into()),
        }
    }

    pub(super) fn refreshed_channel(
        &mut self,
        now: Now,
        id: u32,
        channel: ChannelName,
        verdict: Verdict,
    ) {
        match verdict {
            Verdict::Channel(grant) => {
                let expires = grant.expires;
                self.keep_grant(grant);
                self.answer(id, Event::Refreshed { channel: Some(channel), expires });
                self.tell_grant(now);
            }
            Verdict::Refused(refusal) => self.refuse_in(id, &channel, refusal),
            _ => self.refuse_in(id, &channel, Code::Internal),
        }
    }

    /// Keeps what a token for a channel permits. Of too many, those of channels that are not
    /// followed are let go first.
    pub(super) fn keep_grant(&mut self, grant: ChannelGrant) {
        self.grants.retain(|known| known.channel != grant.channel);
        if self.grants.len() >= self.rules.limits.channels_per_client.clamp(1, GRANTS_MAX) {
            let unused = self.grants.iter().position(|known| !self.follows(&known.channel));
            self.grants.remove(unused.unwrap_or(0));
        }
        self.grants.push(grant);
    }
}

fn grant_code(error: GrantError) -> Code {
    match error {
        GrantError::Invalid => Code::GrantInvalid,
        GrantError::Expired => Code::GrantExpired,
    }
}
