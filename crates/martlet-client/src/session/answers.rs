//! Who gets which answer: everything the server says goes through here to the machine it is for.

use std::time::Duration;

use martlet_core::model::{ChannelName, Close, Code, Refusal};
use martlet_core::session::{Answer, Connected, Event};
use martlet_core::time::Now;

use super::output::{Connection, Output, Reply, State, SubscriptionEvent};
use super::retry::Advice;
use super::{Effects, Phase, Session};
use crate::codec;
use crate::error::{Error, Refused};

impl Session {
    /// A frame came.
    pub fn handle_frame(&mut self, now: Now, frame: &[u8]) {
        self.heartbeat.handle_heard(now);
        let answers = match codec::decode(self.outbox.wire(), frame) {
            Ok(answers) => answers,
            Err(why) => return self.handle_closed(now, Error::Foreign(why), Advice::None),
        };
        for answer in answers {
            // What a connection says after it was given up counts for nothing.
            if !matches!(self.phase, Phase::Dialing { .. } | Phase::Open) {
                return;
            }
            self.handle_answer(now, answer);
        }
    }

    fn handle_answer(&mut self, now: Now, Answer { id, event }: Answer) {
        match event {
            Event::Connected(connected) => self.handle_connected(now, id, &connected),
            Event::Ping => self.outbox.push_pong(),
            Event::Refreshed { channel: None, expires } => {
                self.credentials.handle_expiry(now, expires);
            }
            Event::Grant { grant, .. } => self.credentials.handle_grant(grant),
            Event::Refused { channel, refusal } => {
                self.handle_refusal(now, id, channel, &refusal);
            }
            Event::Closing(close) => self.handle_close(now, &close),
            Event::Published { appended, .. } => self.reply(id, Reply::Published(appended)),
            Event::History(page) => self.reply(id, Reply::History(Box::new(page))),
            Event::Presence { members, count, .. } => {
                self.reply(id, Reply::Presence(members, count));
            }
            Event::Pong { .. } => self.reply(id, Reply::Pong),
            event => {
                let effects = self.channel_event(now, id, event);
                self.apply(effects);
            }
        }
    }

    fn channel_event(&mut self, now: Now, id: u32, event: Event) -> Effects {
        let channels = &mut self.channels;
        match event {
            Event::Publication(publication) => {
                let publication = std::sync::Arc::unwrap_or_clone(publication);
                channels.handle_publication(publication)
            }
            Event::Subscribed(told) => channels.handle_subscribed(id, told, self.take_offered),
            Event::Unsubscribed { channel, why: Some(why) } => {
                channels.handle_unsubscribed(now, &channel, &why, &mut self.pauses)
            }
            Event::Gap(gap) => channels.handle_gap(gap),
            Event::Lagged { channel, offset, head } => {
                channels.handle_notice(&channel, SubscriptionEvent::Lagged { offset, head })
            }
            Event::Join { channel, member } => {
                channels.handle_notice(&channel, SubscriptionEvent::Join(member))
            }
            Event::Leave { channel, member } => {
                channels.handle_notice(&channel, SubscriptionEvent::Leave(member))
            }
            // An `unsubscribed` that was asked for, and the refresh of a channel's token.
            _ => Effects::default(),
        }
    }

    fn handle_connected(&mut self, now: Now, id: u32, connected: &Connected) {
        let Phase::Dialing { id: asked, .. } = self.phase else { return };
        if id != asked {
            return;
        }
        self.phase = Phase::Open;
        self.retry.handle_connected(now);
        self.credentials.handle_connected(now, connected);
        self.heartbeat.handle_connected(now, connected.ping, connected.pong);
        self.outbox.set_frame_bytes(connected.frame_bytes);
        let wanted = self.channels.wanted();
        self.ask_for(wanted);
        self.requests.tickets().for_each(|ticket| self.outbox.push_request(ticket));
        self.outputs.push_back(Output::State(State::Connected(Connection {
            client: connected.client,
            user: connected.user.clone(),
            resumed: connected.resumed,
        })));
    }

    fn reply(&mut self, id: u32, reply: Reply) {
        if let Some(ticket) = self.requests.handle_answered(id) {
            self.outputs.push_back(Output::Reply(ticket, Ok(reply)));
        }
    }

    fn handle_refusal(
        &mut self,
        now: Now,
        id: u32,
        channel: Option<ChannelName>,
        refusal: &Refusal,
    ) {
        let refused = || Error::from(Refused::new(channel.clone(), refusal));
        let too_soon = refusal.after.filter(|_| refusal.code == Code::RateLimited);
        if let Some(ticket) = too_soon.and_then(|wait| self.requests.handle_too_soon(now, id, wait))
        {
            self.outbox.push_request(ticket);
        } else if let Some(ticket) = self.requests.handle_answered(id) {
            self.outputs.push_back(Output::Reply(ticket, Err(refused())));
        } else if self.credentials.is_refresh(id) {
            // The old token runs on; another is asked for before it ends.
            self.credentials.handle_no_token(now.instant.after(self.pauses.small()));
        } else if matches!(self.phase, Phase::Dialing { id: asked, .. } if asked == id) {
            self.refused(now, refused(), Some(refusal.code), Advice::of_refusal(refusal));
        } else {
            // A command that is refused as a whole names no channel.
            let asked = channel.map_or_else(|| self.channels.asked_by(id), |one| vec![one]);
            for channel in asked {
                let pauses = &mut self.pauses;
                let effects = self.channels.handle_refused(now, id, &channel, refusal, pauses);
                self.apply(effects);
            }
        }
    }

    /// The server refused `connect`: another way in is tried if there is one.
    pub(super) fn refused(&mut self, now: Now, why: Error, code: Option<Code>, advice: Advice) {
        let another_way = code.is_some_and(|code| self.credentials.handle_refused(code));
        if another_way {
            self.channels.handle_grant_lost();
        }
        let advice = match (advice, code) {
            (Advice::After(_), _) => advice,
            // With another token at hand there is nothing to wait for.
            (_, Some(Code::GrantInvalid | Code::GrantExpired))
                if another_way && !self.credentials.lacking() =>
            {
                Advice::After(Duration::ZERO)
            }
            _ if another_way => Advice::None,
            _ => advice,
        };
        self.lose(now, why, advice);
    }

    fn handle_close(&mut self, now: Now, close: &Close) {
        if close.code == Code::Expired {
            self.credentials.handle_expired();
            self.channels.handle_grant_lost();
        }
        let live = self.phase == Phase::Open;
        self.target.handle_close(close.code, close.node.as_deref(), live);
        self.detach(now, Refused::from(close).into(), Advice::of_close(close));
    }
}
