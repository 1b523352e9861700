//! What the client follows: beginning and ending subscriptions, membership, and what ends when a
//! token does.

use super::*;
use crate::presence::Member;
use crate::session::{Start, Subscribed, Verbs};

impl Session {
    pub(super) fn subscribe(&mut self, now: Now, id: u32, subscribe: Subscribe) {
        let channel = subscribe.channel.clone();
        match &subscribe.token {
            Some(token) => {
                let question = Question::Channel { channel, token: token.clone() };
                self.ask(Asked::Admit { id, subscribe }, question);
            }
            None => self.follow(now, id, subscribe),
        }
    }

    /// The verdict on a channel's token.
    pub(super) fn admitted(&mut self, now: Now, id: u32, subscribe: Subscribe, verdict: Verdict) {
        match verdict {
            Verdict::Channel(grant) => {
                self.keep_grant(grant);
                self.follow(now, id, subscribe);
                self.tell_grant(now);
            }
            Verdict::Refused(refusal) => self.refuse_in(id, &subscribe.channel, refusal),
            _ => self.refuse_in(id, &subscribe.channel, Code::Internal),
        }
    }

    /// Follows a channel, if the client may.
    pub(super) fn follow(&mut self, now: Now, id: u32, subscribe: Subscribe) {
        let Subscribe { channel, start, .. } = subscribe;
        if let Err(refusal) = self.permitted(now, &channel, Verb::Subscribe) {
            return self.refuse_in(id, &channel, refusal);
        }
        self.follow_permitted(id, channel, start);
    }

    /// The backend makes the client follow a channel; that it asks is permission.
    pub fn follow_by_backend(&mut self, now: Now, channel: ChannelName) {
        if !matches!(self.stage, Stage::Attached) || self.follows(&channel) {
            return;
        }
        // What a token for the channel permitted beyond reading stays permitted.
        let known = self.grants.iter().find(|grant| grant.channel == channel);
        let known = known.map_or(Verbs::NONE, |grant| grant.verbs);
        let verbs = Verbs::READ.iter().fold(known, Verbs::with);
        let expires = self.identity().expires;
        self.keep_grant(ChannelGrant { channel: channel.clone(), verbs, expires });
        self.follow_permitted(0, channel, Start::Now);
        self.tell_grant(now);
    }

    fn follow_permitted(&mut self, id: u32, channel: ChannelName, start: Start) {
        if !matches!(self.stage, Stage::Attached) {
            // Its connection went while its token was looked at; nobody would read the channel.
            return;
        }
        if self.follows(&channel) {
            return self.refuse_in(id, &channel, Code::AlreadySubscribed);
        }
        if self.following.len() >= self.rules.limits.channels_per_client {
            return self.refuse_in(id, &channel, Code::TooManyChannels);
        }
        let asked = Asked::Follow { id, channel: channel.clone() };
        let number = self.request(asked, Request::Follow { channel: channel.clone(), start });
        self.following.push(Following { channel, number, on: false, member: false });
    }

    pub(super) fn follows(&self, channel: &ChannelName) -> bool {
        self.following.iter().any(|following| following.channel == *channel)
    }

    /// The channel's owner said yes.
    pub(super) fn followed(
        &mut self,
        number: u32,
        id: u32,
        channel: ChannelName,
        followed: Followed,
    ) {
        let wanted = matches!(self.stage, Stage::Attached);
        let found = self.following.iter_mut().find(|f| f.number == number);
        let Some(following) = found.filter(|_| wanted) else {
            return self.followed_in_vain(id, channel, wanted);
        };
        following.on = true;
        // The owner's name is one that all who follow the channel share.
        following.channel = followed.channel.clone();
        let subscribed = Subscribed {
            channel: channel.clone(),
            position: followed.begin,
            // A reader may have heard more, on another node, than this node has yet.
            head: followed.head.offset.max(followed.begin.offset),
            recovered: followed.recovered,
        };
        let gap = followed.gap.clone();
        self.tell(id, Event::Subscribed(subscribed));
        gap.into_iter().for_each(|gap| self.tell(0, Event::Gap(gap)));
        self.outputs.push_back(Output::Begin(channel.clone(), followed));
        self.enter(channel);
    }

    /// The subscription ended, or the client went away, before the owner answered. Whoever asked
    /// for it and is still here is owed an answer.
    fn followed_in_vain(&mut self, id: u32, channel: ChannelName, attached: bool) {
        if attached && id != 0 {
            self.refuse_in(id, &channel, Code::NotSubscribed);
        }
        self.outputs.push_back(Output::Request(0, Request::Unfollow { channel }));
    }

    /// Makes the client a member, where the namespace has members.
    fn enter(&mut self, channel: ChannelName) {
        let members = self.namespace(&channel).is_ok_and(|namespace| namespace.presence);
        if !members || !self.opening.member {
            return;
        }
        let following = self.following.iter_mut().find(|f| f.channel == channel);
        following.into_iter().for_each(|following| following.member = true);
        let member = Member {
            client: self.opening.client,
            user: self.identity().user.clone(),
            info: self.identity().info.clone(),
        };
        let enter = Request::Enter { channel, member, holder: self.opening.holder };
        self.outputs.push_back(Output::Request(0, enter));
    }

    pub(super) fn unsubscribe(&mut self, id: u32, channel: &ChannelName) {
        if self.stop_following(channel, false) {
            self.answer(id, Event::Unsubscribed { channel: channel.clone(), why: None });
        } else {
            self.refuse_in(id, channel, Code::NotSubscribed);
        }
    }

    /// Ends a subscription without having been asked by the client. Says whether there was one.
    pub fn end_subscription(&mut self, channel: &ChannelName, why: Refusal) -> bool {
        let told = self.channels().any(|name| name == channel);
        let ended = self.stop_following(channel, false);
        if ended {
            self.grants.retain(|grant| grant.channel != *channel);
        }
        if told {
            self.tell(0, Event::Unsubscribed { channel: channel.clone(), why: Some(why) });
        }
        ended
    }

    fn stop_following(&mut self, channel: &ChannelName, lost: bool) -> bool {
        let Some(index) = self.following.iter().position(|f| f.channel == *channel) else {
            return false;
        };
        let following = self.following.swap_remove(index);
        self.let_go(following, lost);
        true
    }

    /// Lets go of everything; `lost` if the client may come back.
    pub(super) fn leave_all(&mut self, lost: bool) {
        for following in std::mem::take(&mut self.following) {
            self.let_go(following, lost);
        }
    }

    fn let_go(&mut self, following: Following, lost: bool) {
        let Following { channel, on, member, .. } = following;
        if member {
            self.exit(channel.clone(), lost);
        }
        if on {
            self.outputs.push_back(Output::End(channel.clone()));
            self.outputs.push_back(Output::Request(0, Request::Unfollow { channel }));
        }
    }

    pub(super) fn exit(&mut self, channel: ChannelName, lost: bool) {
        let (client, holder) = (self.opening.client, self.opening.holder);
        let exit = Request::Exit { channel, client, holder, lost };
        self.outputs.push_back(Output::Request(0, exit));
    }

    /// Ends what a token permitted that has expired.
    pub(super) fn end_expired(&mut self, now: Now) {
        if self.identity().expires.is_some_and(|expires| expires <= now.wall) {
            return self.close(Code::Expired.into());
        }
        let over = |grant: &ChannelGrant| grant.expires.is_some_and(|e| e <= now.wall);
        if !self.grants.iter().any(over) {
            return;
        }
        let ended: Vec<_> =
            self.grants.iter().filter(|g| over(g)).map(|g| g.channel.clone()).collect();
        self.grants.retain(|grant| !over(grant));
        for channel in ended {
            if self.permitted(now, &channel, Verb::Subscribe).is_err() {
                self.end_subscription(&channel, Code::TokenExpired.into());
            }
        }
    }
}
