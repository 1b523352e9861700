//! Settling: doing what sessions, shard and lane want done, until none of them wants anything.

use martlet_core::hub::{Delivery, LaneId, LaneOutput, ReplyTo, ShardOutput};
use martlet_core::model::{Close, Code, Refusal};
use martlet_core::session::{Answer, Event, Output, Question, Reply, Request, Verdict};

use super::plain;
use super::tickets::{Outward, Tickets, Waiting};
use super::*;
use crate::wire::Form;

impl Worker {
    /// Does everything there is to do before anybody is written to.
    pub(super) fn settle(self: &Rc<Self>, state: &mut State) {
        let now = self.now();
        loop {
            self.settle_shard(state, now);
            if let Some(output) = state.lane.poll_output() {
                self.do_for_lane(state, now, output);
            } else if let Some(index) = state.sessions.take_dirty() {
                self.settle_session(state, now, index);
            } else {
                return;
            }
        }
    }

    /// Does what the shard wants done.
    pub(super) fn settle_shard(self: &Rc<Self>, state: &mut State, now: Now) {
        while let Some(output) = state.shard.poll_output() {
            self.do_for_shard(state, now, output);
        }
    }

    fn do_for_shard(self: &Rc<Self>, state: &mut State, now: Now, output: ShardOutput) {
        match output {
            ShardOutput::Store(ticket, request) => {
                state.engine.submit(now, ticket, request);
                self.take_from_engine(state, now);
            }
            ShardOutput::Reply(to, reply) if to.lane == self.id => {
                self.take_reply(state, now, to.ticket, reply);
            }
            ShardOutput::Reply(to, reply) => state.post.put(to.lane, Mail::Reply(to.ticket, reply)),
            ShardOutput::Deliver(lane, delivery) => self.deliver(state, lane, delivery),
            ShardOutput::Listen(channel) => state.engine.follow(&channel),
            ShardOutput::Unlisten(channel) => state.engine.unfollow(&channel),
            // The engine tells the other nodes.
            ShardOutput::Announce(_) => {}
        }
    }

    /// Takes in what the engine has to say.
    pub(super) fn take_from_engine(&self, state: &mut State, now: Now) {
        while let Some((ticket, reply)) = state.engine.poll_reply() {
            state.shard.handle_store(now, ticket, reply);
        }
        while let Some(news) = state.engine.poll_news() {
            match news {
                News::Silent => {
                    self.common.reach.health().silent(true);
                    state.lane.doubt();
                }
                News::Heard => self.common.reach.health().silent(false),
                _ => {}
            }
            state.shard.handle_news(news);
        }
    }

    fn deliver(&self, state: &mut State, lane: LaneId, delivery: Delivery) {
        if lane == self.id {
            state.lane.deliver(&delivery, &mut state.encoders);
        } else {
            state.post.put(lane, Mail::Deliver(delivery));
        }
    }

    /// A reply came. What a session does about it is done at once: when it begins to read a
    /// channel, its place has to be there before the channel's next delivery comes.
    pub(super) fn take_reply(
        self: &Rc<Self>,
        state: &mut State,
        now: Now,
        ticket: u64,
        reply: Reply,
    ) {
        match state.tickets.take(ticket) {
            Some(Waiting::Session(index, number)) => match state.sessions.get(index) {
                Some(entry) => {
                    entry.session.handle_reply(number, reply);
                    self.settle_session(state, now, index);
                }
                None => self.give_back(state, now, reply),
            },
            Some(Waiting::Load(channel, after)) => match reply {
                Reply::Loaded(page) => {
                    state.lane.handle_loaded(&channel, after, &page, &mut state.encoders);
                }
                _ => state.lane.handle_load_failed(&channel, after),
            },
            Some(Waiting::Outside(outside)) => {
                state.answers.push(Outward::Reply(outside, reply));
            }
            Some(Waiting::Batch(batch, place)) => {
                let answer = state.tickets.gather(batch, place, reply);
                state.answers.extend(answer);
            }
            None => {}
        }
    }

    /// A channel was followed for a session that is no more.
    fn give_back(&self, state: &mut State, now: Now, reply: Reply) {
        if let Reply::Followed(followed) = reply {
            let channel = followed.channel;
            self.request(state, now, Tickets::none(self.id), Request::Unfollow { channel });
        }
    }

    /// Brings a request to the owner of its channel.
    fn request(&self, state: &mut State, now: Now, to: ReplyTo, request: Request) {
        let owner = request.channel().map_or(self.id, |channel| state.post.owner(channel));
        if owner == self.id {
            state.shard.handle_request(now, to, request);
        } else {
            state.post.put(owner, Mail::Request(to, request));
        }
    }

    fn do_for_lane(&self, state: &mut State, now: Now, output: LaneOutput) {
        match output {
            LaneOutput::Load { channel, after } => {
                let waiting = Waiting::Load(channel.clone(), after);
                let to = state.tickets.give(self.id, waiting);
                let limit = martlet_core::hub::PAGE_PUBLICATIONS;
                self.request(state, now, to, Request::Load { channel, after, limit });
            }
            LaneOutput::Lagged { reader, channel, offset, head } => {
                state.counters.lagged += 1;
                if let Some(entry) =
                    state.sessions.by_reader(reader).and_then(|i| state.sessions.touch(i))
                {
                    entry.session.handle_lagged(channel, offset, head);
                }
            }
            LaneOutput::Doubted { reader, channel, offset, head } => {
                if let Some(entry) =
                    state.sessions.by_reader(reader).and_then(|i| state.sessions.touch(i))
                {
                    entry.session.handle_doubted(channel, offset, head);
                }
            }
            LaneOutput::Gap { reader, gap } => {
                if let Some(entry) =
                    state.sessions.by_reader(reader).and_then(|i| state.sessions.touch(i))
                {
                    entry.session.handle_gap(gap);
                }
            }
        }
    }

    fn settle_session(self: &Rc<Self>, state: &mut State, now: Now, index: SessionIndex) {
        while let Some(entry) = state.sessions.get(index) {
            let Some(output) = entry.session.poll_output() else { break };
            self.do_for_session(state, now, index, output);
        }
        state.sessions.count_greeted(index);
        let Some(entry) = state.sessions.get(index) else { return };
        if entry.session.ended() && entry.attachment.is_none() {
            return state.sessions.remove(index);
        }
        let sent_at = entry.reader.map_or(now.instant, |reader| state.lane.sent_at(reader));
        let polls = entry.attachment.as_ref().and_then(|attachment| attachment.polls.as_ref());
        let polls = polls.map(|polls| polls.poll_timeout());
        let session = entry.session.poll_timeout(now, sent_at);
        if let Some(at) = session.into_iter().chain(polls).min() {
            state.sessions.arm(index, at);
        }
    }

    fn do_for_session(
        self: &Rc<Self>,
        state: &mut State,
        now: Now,
        index: SessionIndex,
        output: Output,
    ) {
        match output {
            Output::Tell(answer) => self.tell(state, index, &answer),
            Output::Ask(number, question) => self.ask(state, now, index, number, question),
            Output::Request(0, request) => {
                self.request(state, now, Tickets::none(self.id), request)
            }
            Output::Request(number, request) => {
                self.request_for(state, now, index, number, request);
            }
            Output::Begin(channel, followed) => {
                let Some(reader) = state.sessions.get(index).and_then(|entry| entry.reader) else {
                    return;
                };
                state.lane.begin(reader, &channel, &followed);
                plain::begun(state, index);
            }
            Output::End(channel) => {
                let Some(entry) = state.sessions.get(index) else { return };
                // The last answer to a plain poll still says where its reader stands.
                let keeps = entry.session.ended() && entry.attachment.as_ref().is_some_and(visits);
                if let Some(reader) = entry.reader.filter(|_| !keeps) {
                    state.lane.end(reader, &channel);
                }
            }
            Output::Replace(key) if key.node() != self.common.node => {
                self.common.reach.replace(key);
            }
            Output::Replace(key) if key.worker() == self.id.0 => self.replace(state, key),
            Output::Replace(key) => state.post.put(LaneId(key.worker()), Mail::Replace(key)),
            Output::Close(close) => self.end_connection(state, index, &close),
        }
    }

    /// A request that the session waits for. Publications of a user are counted here, because
    /// its connections may be on several workers.
    fn request_for(
        &self,
        state: &mut State,
        now: Now,
        index: SessionIndex,
        number: u32,
        request: Request,
    ) {
        if let Request::Publish(draft) = &request
            && let Some(user) = draft.from.as_ref().and_then(|from| from.user.as_ref())
            && let Err(wait) = self.common.rates.take(now.instant, user)
            && let Some(entry) = state.sessions.touch(index)
        {
            let refusal = Refusal::until(Code::RateLimited, wait);
            return entry.session.handle_reply(number, Reply::Refused(refusal));
        }
        if let Request::Publish(draft) = &request
            && let Some(refusal) = state.post.refuses_publication(&draft.channel)
            && let Some(entry) = state.sessions.touch(index)
        {
            return entry.session.handle_reply(number, Reply::Refused(refusal));
        }
        let to = state.tickets.give(self.id, Waiting::Session(index, number));
        self.request(state, now, to, request);
    }

    /// Asks about a token beside the worker's calls; what can be known here, at once.
    fn ask(
        self: &Rc<Self>,
        state: &mut State,
        now: Now,
        index: SessionIndex,
        number: u32,
        question: Question,
    ) {
        let let_in = self.let_in(state, now, index, &question);
        let Some(entry) = state.sessions.touch(index) else { return };
        let at_once = match (&question, let_in) {
            (_, Err(wait)) => Some(Verdict::Later(wait)),
            (Question::Nobody, _) => Some(Verdict::Identity(Box::default())),
            (Question::Grant(grant), _) => Some(match self.common.revoked.stands(grant) {
                true => Verdict::Stands,
                false => Verdict::Refused(Code::GrantInvalid.into()),
            }),
            _ => None,
        };
        if let Some(verdict) = at_once {
            return entry.session.handle_verdict(now, number, verdict);
        }
        let user = entry.session.identity().user.clone();
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let verdict = worker.judge(question, user, now).await;
            let now = worker.now();
            worker.turn(|state| {
                if let Some(entry) = state.sessions.touch(index) {
                    entry.session.handle_verdict(now, number, verdict);
                }
            });
        });
    }

    async fn judge(
        &self,
        question: Question,
        user: Option<martlet_core::model::UserId>,
        now: Now,
    ) -> Verdict {
        let verifier = &self.common.verifier;
        let verdict = match question {
            Question::Token(token) => verifier
                .connection(&token, now.wall)
                .await
                .map(|identity| Verdict::Identity(Box::new(identity))),
            Question::Channel { channel, token } => verifier
                .channel(&token, &channel, user.as_ref(), now.wall)
                .await
                .map(Verdict::Channel),
            Question::Grant(_) | Question::Nobody => Err(Code::Internal.into()),
        };
        verdict.unwrap_or_else(Verdict::Refused)
    }

    /// Writes an event to a session's client, in the words of its wire.
    fn tell(&self, state: &mut State, index: SessionIndex, answer: &Answer) {
        if let Event::Connected(_) = &answer.event {
            state.counters.connected += 1;
            state.sessions.list(index);
        }
        plain::follow(state, index, &answer.event);
        let Some(entry) = state.sessions.get(index) else { return };
        let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_ref()) else {
            return;
        };
        let frame = match &answer.event {
            // An answer that comes in time is the sign of life.
            Event::Ping if attachment.polls.is_some() => return,
            // Before a plain stream has begun, the lane knows some of its places only; the cursor
            // of all follows.
            Event::Gap(_) if attachment.opening.is_none() => {
                let cursor = state.lane.cursor(reader);
                state.encoders.answer_at(attachment.kind, answer, &cursor)
            }
            _ => state.encoders.answer(attachment.kind, answer),
        };
        if !frame.is_empty() && state.lane.push(reader, frame).is_err() {
            state
                .sessions
                .touch(index)
                .into_iter()
                .for_each(|e| e.session.close(Code::Slow.into()));
        }
    }

    /// Ends a connection, once everything before this is written.
    fn end_connection(self: &Rc<Self>, state: &mut State, index: SessionIndex, close: &Close) {
        state.counters.closed += 1;
        state.sessions.finish(index);
        let Some(entry) = state.sessions.get(index) else { return };
        let code = entry.close_code.unwrap_or(close.code.number());
        if let (Some(reader), Some(attachment)) = (entry.reader, entry.attachment.as_mut()) {
            let between = attachment.between_polls();
            let begun = attachment.end_opening() && !between;
            let frame = state.encoders.end(attachment.kind, code, close.code.message());
            // The client is on its way out, so it does not matter whether it is slow.
            let _ = state.lane.push(reader, frame);
            if begun {
                state.lane.unblock(reader);
            }
            if between {
                self.wait_for_last_poll(index);
            }
        }
    }
}

/// Whether it carries a reader that only looks in.
fn visits(attachment: &Attachment) -> bool {
    attachment.kind.form == Form::Items
}
