//! Carrying out what workers want: letters, questions to the store, news for other nodes, tokens
//! to be judged; and the checks on what they say they did.

use martlet_core::model::{Code, Gap, UserId};
use martlet_core::session::{ChannelGrant, Identity, Question, Verbs, Verdict};
use martlet_core::stream::Keep;

use super::*;
use crate::record::hold;
use crate::worker::{Effect, Note, Worker, owner};

impl World {
    /// Does something to a worker, if it still lives, and carries out what it then wants.
    pub(super) fn at_worker(
        &mut self,
        place: Place,
        act: impl FnOnce(&mut Worker, Now),
    ) -> Checked {
        let now = self.now_at(place.node);
        let node = &mut self.nodes[place.node];
        if !node.up || node.life != place.life {
            return Ok(());
        }
        act(&mut node.workers[usize::from(place.worker.0)], now);
        self.carry(place)
    }

    /// Carries out what a worker wants.
    pub(super) fn carry(&mut self, place: Place) -> Checked {
        let index = usize::from(place.worker.0);
        while let Some(effect) = self.nodes[place.node].workers[index].poll_effect() {
            self.carry_one(place, effect)?;
        }
        self.schedule(place);
        Ok(())
    }

    fn carry_one(&mut self, place: Place, effect: Effect) -> Checked {
        match effect {
            Effect::Post(to, letter) => {
                let wait = self.dice.short_of(self.options.delays.post);
                let at =
                    self.nodes[place.node].post(place.worker, to, self.now.after(wait), letter);
                self.later(at, Transition::Letter(Place { worker: to, ..place }, place.worker));
            }
            Effect::Store(ticket, request) => self.send_to_store(place, ticket, request),
            Effect::Announce(publication) => self.announce(place, &publication),
            Effect::Ask(session, number, question) => {
                let verdict = Box::new(self.judge(place.node, &question));
                let wait = self.dice.short_of(self.options.delays.store);
                self.after(wait, Transition::Verdict(place, session, number, verdict));
            }
            Effect::Turn(..) => {}
            Effect::Shut(connection) => return self.shut(place, connection),
            Effect::Note(note) => return self.take_note(place.node, note),
        }
        Ok(())
    }

    /// Puts a worker's next sweep and deadline into the queue.
    fn schedule(&mut self, place: Place) {
        let index = usize::from(place.worker.0);
        let node = &mut self.nodes[place.node];
        let (marked, next) = (node.workers[index].any_marked(), node.workers[index].poll_timeout());
        if marked && !std::mem::replace(&mut node.sweeping[index], true) {
            let wait = self.dice.short_of(self.options.delays.post);
            self.after(wait, Transition::Sweep(place));
        }
        let Some(next) = next else { return };
        let node = &mut self.nodes[place.node];
        if node.ticking[index].is_none_or(|set| next < set) {
            node.ticking[index] = Some(next);
            self.later(next, Transition::Tick(place));
        }
    }

    pub(super) fn letter(&mut self, place: Place, from: LaneId) -> Checked {
        let node = &mut self.nodes[place.node];
        if !node.up || node.life != place.life {
            return Ok(());
        }
        let Some(letter) = node.take_letter(from, place.worker) else { return Ok(()) };
        self.note(|_| format!("    {letter:?}"));
        self.at_worker(place, |worker, now| worker.handle_letter(now, letter))
    }

    pub(super) fn tick(&mut self, place: Place) -> Checked {
        let node = &mut self.nodes[place.node];
        if node.life == place.life {
            node.ticking[usize::from(place.worker.0)] = None;
        }
        self.at_worker(place, |worker, now| worker.handle_timeout(now))
    }

    pub(super) fn depot_of(&self, node: usize) -> usize {
        if self.options.shared { 0 } else { node }
    }

    fn send_to_store(
        &mut self,
        place: Place,
        ticket: martlet_core::port::StoreTicket,
        request: martlet_core::port::StoreRequest,
    ) {
        let depot = self.depot_of(place.node);
        let at = self.now.after(self.store_delay());
        let store = &mut self.depots[depot];
        let last = store.last.entry((place.node, place.worker.0)).or_default();
        let at = at.max(Instant(last.0 + 1));
        *last = at;
        let number = store.keep(place, ticket, request);
        self.later(at, Transition::Ask(depot, number));
    }

    fn store_delay(&mut self) -> Duration {
        match self.options.shared {
            true => self.dice.short_of(self.options.delays.store),
            false => Duration::ZERO,
        }
    }

    /// A question reaches a store, which answers; the record sees what it took.
    pub(super) fn ask_store(&mut self, depot: usize, number: u64) -> Checked {
        let Some((place, ticket, request)) = self.depots[depot].asked.remove(&number) else {
            return Ok(());
        };
        let now = if self.options.shared { self.true_now() } else { self.now_at(place.node) };
        if !self.options.shared && self.nodes[place.node].life != place.life {
            return Ok(());
        }
        let key = match &request {
            martlet_core::port::StoreRequest::Append { draft, .. } => draft.idempotency_key.clone(),
            _ => None,
        };
        let channel = request.channel().clone();
        let reply = self.depots[depot].answer(now, request);
        match &reply {
            martlet_core::port::StoreReply::Appended { publication, duplicate: false } => {
                self.record.handle_appended(publication)?;
                if let Some(key) = key {
                    self.record.handle_key(&channel, &key, publication.position.epoch)?;
                }
            }
            martlet_core::port::StoreReply::Page(page) => {
                self.record.handle_head(&channel, page.extent.head);
            }
            _ => {}
        }
        let wait = self.store_delay();
        self.after(wait, Transition::Reply(place, ticket, Box::new(reply)));
        Ok(())
    }

    /// News of a publication go to the other nodes, unless something happens to them.
    fn announce(&mut self, from: Place, publication: &Arc<martlet_core::model::Publication>) {
        if !self.options.shared {
            return;
        }
        let worker = owner(&publication.channel, self.options.workers);
        for node in 0..self.nodes.len() {
            let parted = self.partitions.contains(&(from.node.min(node), from.node.max(node)));
            if node == from.node || !self.nodes[node].up || (parted && self.troubled) {
                continue;
            }
            let troubles = self.options.troubles;
            let lost = self.troubled && self.dice.chance(troubles.lose);
            let again = self.troubled && self.dice.chance(troubles.repeat);
            let copies = usize::from(!lost) + usize::from(again);
            let place = self.nodes[node].place(worker);
            for _ in 0..copies {
                let wait = self.dice.short_of(self.options.delays.node);
                self.after(wait, Transition::Announced(place, Arc::clone(publication)));
            }
        }
    }

    /// Judges a token: `USER@EXPIRY` for a connection.
    fn judge(&mut self, node: usize, question: &Question) -> Verdict {
        let wall = self.now_at(node).wall;
        let token = |text: &str| {
            let (user, expires) = text.split_once('@')?;
            let expires = UnixMillis(expires.parse().ok()?);
            Some((UserId::parse(user)?, expires))
        };
        match question {
            Question::Grant(_) => Verdict::Stands,
            Question::Nobody => Verdict::Identity(Box::default()),
            Question::Token(text) => match token(text) {
                Some((user, expires)) if wall < expires => Verdict::Identity(Box::new(Identity {
                    user: Some(user),
                    expires: Some(expires),
                    ..Identity::default()
                })),
                Some(_) => Verdict::Refused(Code::TokenExpired.into()),
                None => Verdict::Refused(Code::TokenInvalid.into()),
            },
            Question::Channel { channel, token: text } => match token(text) {
                Some((_, expires)) if wall < expires => Verdict::Channel(ChannelGrant {
                    channel: channel.clone(),
                    verbs: Verbs::ALL,
                    expires: Some(expires),
                }),
                _ => Verdict::Refused(Code::TokenInvalid.into()),
            },
        }
    }

    fn take_note(&mut self, node: usize, note: Note) -> Checked {
        let now = self.now;
        self.note(|_| format!("    {note:?}"));
        let attendance = &mut self.nodes[node].attendance;
        match note {
            Note::Connected(connection, client) => attendance.handle_connected(connection, client),
            Note::Following(connection, channel) => {
                attendance.handle_following(now, connection, channel);
            }
            Note::NotFollowing(connection, channel, lost) => {
                attendance.handle_not_following(now, connection, channel, lost);
            }
            Note::Moved(channel, client, came) => {
                let grace = self.namespace(&channel).presence_grace;
                let attendance = &mut self.nodes[node].attendance;
                return attendance.handle_moved(now, &channel, client, came, grace);
            }
            Note::Gap(_, gap) => return self.check_gap(node, &gap),
            Note::Closed(connection, close) => {
                if !close.reconnect() {
                    attendance.handle_closed_for_good(now, connection);
                }
                return self.check_close(connection, &close);
            }
        }
        Ok(())
    }

    /// Nothing is called missing that the store still has.
    fn check_gap(&mut self, node: usize, gap: &Gap) -> Checked {
        let namespace = self.namespace(&gap.channel).clone();
        if !namespace.recovery {
            return Ok(());
        }
        let now = if self.options.shared { self.true_now() } else { self.now_at(node) };
        let depot = self.depot_of(node);
        let extent = self.depots[depot].extent(now, &gap.channel, Keep::of(&namespace));
        let Some(extent) = extent.filter(|extent| extent.head.epoch == gap.resume.epoch) else {
            return Ok(());
        };
        let ahead = gap.reason == martlet_core::model::GapReason::Ahead;
        // In a history that lost its tail it goes on after what both have, and it has had.
        let common = extent.previous.is_some_and(|previous| {
            let had = gap.from - 1;
            gap.resume.offset == had || gap.resume.offset == previous.offset.min(had)
        });
        let lost = gap.resume.offset < extent.first;
        hold(ahead || common || lost, || format!("{gap:?} was told, but the store has {extent:?}"))
    }

    /// A client is given up only if it could not be heard.
    fn check_close(
        &mut self,
        connection: ConnectionId,
        close: &martlet_core::model::Close,
    ) -> Checked {
        let Some(link) = self.links.get(&connection) else { return Ok(()) };
        let rules = &self.options.rules;
        let wait = rules.ping + rules.pong + rules.limits.write_timeout + Duration::from_secs(1);
        let lately = link.disturbed_at.is_some_and(|at| self.now < at.after(wait));
        let disturbed = link.silent || lately;
        let worker = &self.nodes[link.place.node].workers[usize::from(link.place.worker.0)];
        let owed = worker.owed_bytes(connection) > rules.limits.owed_bytes;
        let blames = match close.code {
            Code::PongMissing => true,
            Code::Slow => !owed,
            _ => false,
        };
        hold(!blames || disturbed || link.client_gone || link.full, || {
            format!("{connection:?} was closed with {close:?}, and its client was well")
        })
    }

    pub(super) fn namespace(
        &self,
        channel: &martlet_core::model::ChannelName,
    ) -> &martlet_core::model::Namespace {
        self.options.rules.namespaces.of(channel).expect("the world names only channels it allows")
    }
}
