//! All channels that the client follows, and what to do about each thing the server says of them.
//! What is to be told or sent is collected in [`Effects`]; nothing here knows the connection.

use std::collections::BTreeMap;

use martlet_core::model::{ChannelName, Code, Gap, Position, Publication, Refusal};
use martlet_core::session::{Start, Subscribe, Subscribed};
use martlet_core::time::{Instant, Now};

use super::following::{Arrival, Following, Standing};
use super::output::{Output, SubscriptionEvent};
use super::pauses::Pauses;
use crate::error::{Error, Refused};

/// The channels by name.
#[derive(Debug, Default)]
pub struct Channels {
    following: BTreeMap<ChannelName, Following>,
}

/// What comes of something: outputs, channels to leave, and channels to ask for.
#[derive(Debug, Default)]
pub struct Effects {
    /// For the world.
    pub outputs: Vec<Output>,
    /// Channels to leave.
    pub leave: Vec<ChannelName>,
    /// Channels to ask for.
    pub ask: Vec<ChannelName>,
}

impl Effects {
    fn tell(&mut self, channel: &ChannelName, event: SubscriptionEvent, before: Start) {
        self.outputs.push(Output::Event { channel: channel.clone(), event, before });
    }

    fn fetch(&mut self, channel: &ChannelName) {
        self.outputs.push(Output::Fetch(Some(channel.clone())));
    }
}

impl Channels {
    /// Begins to follow `channel`.
    pub fn add(&mut self, channel: ChannelName, following: Following) -> Result<Effects, Error> {
        if self.following.contains_key(&channel) {
            return Err(Error::AlreadySubscribed(channel));
        }
        let mut effects = Effects::default();
        match following.standing {
            Standing::Tokenless => effects.fetch(&channel),
            _ => effects.ask.push(channel.clone()),
        }
        self.following.insert(channel, following);
        Ok(effects)
    }

    /// Stops following `channel`.
    pub fn remove(&mut self, channel: &ChannelName) -> Effects {
        let mut effects = Effects::default();
        let standing = self.following.remove(channel).map(|following| following.standing);
        if matches!(standing, Some(Standing::Asked(_) | Standing::Live)) {
            effects.leave.push(channel.clone());
        }
        effects
    }

    /// Leaves `channel` for now; its reader stands at `before`.
    pub fn pause(&mut self, channel: &ChannelName, before: Start) -> Effects {
        let mut effects = Effects::default();
        let Some(following) = self.following.get_mut(channel) else { return effects };
        if matches!(following.standing, Standing::Asked(_) | Standing::Live) {
            effects.leave.push(channel.clone());
        }
        following.standing = Standing::Paused;
        following.start = before;
        effects
    }

    /// The reader of a paused channel has room again.
    pub fn go_on(&mut self, channel: &ChannelName) -> Effects {
        let mut effects = Effects::default();
        if let Some(following) = self.following.get_mut(channel)
            && following.standing == Standing::Paused
        {
            following.standing = Standing::Wanted;
            following.behind = true;
            effects.ask.push(channel.clone());
        }
        effects
    }

    /// The words to ask for `channel` by command `id`; `None` if it is not to be asked for.
    pub fn ask(&mut self, channel: &ChannelName, id: u32, granted: bool) -> Option<Subscribe> {
        let following = self.following.get_mut(channel)?;
        if following.standing != Standing::Wanted {
            return None;
        }
        following.standing = Standing::Asked(id);
        Some(following.ask(channel, granted))
    }

    /// The channels that were asked for by command `id`.
    pub fn asked_by(&self, id: u32) -> Vec<ChannelName> {
        let asked = self.following.iter().filter(|(_, f)| f.standing == Standing::Asked(id));
        asked.map(|(channel, _)| channel.clone()).collect()
    }

    /// All channels that are to be asked for.
    pub fn wanted(&self) -> Vec<ChannelName> {
        let wanted = self.following.iter().filter(|(_, f)| f.standing == Standing::Wanted);
        wanted.map(|(channel, _)| channel.clone()).collect()
    }

    /// The grant was given up: what it admitted to needs tokens again.
    pub fn handle_grant_lost(&mut self) {
        self.following.values_mut().for_each(|following| following.admitted = false);
    }

    /// The connection is gone.
    pub fn handle_lost(&mut self) {
        self.following.values_mut().for_each(Following::handle_lost);
    }

    /// The client ends, because of `why`.
    pub fn handle_end(&mut self, why: &Error) -> Vec<Output> {
        let ended = std::mem::take(&mut self.following).into_keys();
        let last = SubscriptionEvent::Error(why.clone());
        ended.map(|channel| Output::Ended { channel, last: last.clone() }).collect()
    }

    /// The server says that a channel is followed, in answer to command `id`.
    pub fn handle_subscribed(&mut self, id: u32, told: Subscribed, take_offered: bool) -> Effects {
        let mut effects = Effects::default();
        if id == 0 && take_offered && !self.following.contains_key(&told.channel) {
            let offered = Following::new(Start::Now, None, false);
            self.following.insert(told.channel.clone(), offered);
            effects.outputs.push(Output::Offered(told.channel.clone()));
        }
        let Some(following) = self.following.get_mut(&told.channel) else { return effects };
        let expected = match following.standing {
            Standing::Asked(asked) => id == asked || id == 0,
            Standing::Wanted | Standing::Live => id == 0,
            _ => false,
        };
        if !expected {
            return effects;
        }
        let before = following.start;
        following.handle_subscribed(told.position);
        let channel = told.channel.clone();
        let event = match (std::mem::take(&mut following.behind), before) {
            (true, Start::After(place)) => {
                SubscriptionEvent::Lagged { offset: place.offset, head: told.head }
            }
            _ => SubscriptionEvent::Subscribed(told),
        };
        effects.tell(&channel, event, before);
        effects
    }

    /// A publication came.
    pub fn handle_publication(&mut self, publication: Publication) -> Effects {
        let mut effects = Effects::default();
        let channel = publication.channel.clone();
        let Some(following) = self.following.get_mut(&channel) else { return effects };
        let before = following.start;
        match following.handle_publication(publication.position) {
            Arrival::Next => {}
            Arrival::Stale => return effects,
            Arrival::Hole => {
                following.standing = Standing::Wanted;
                effects.leave.push(channel.clone());
                effects.ask.push(channel);
                return effects;
            }
            Arrival::HoleForGood => {
                if let Some(gap) = following.gap_before(&channel, publication.position) {
                    effects.tell(&channel, SubscriptionEvent::Gap(gap), before);
                }
            }
        }
        let event = SubscriptionEvent::Publication(Box::new(publication));
        effects.tell(&channel, event, before);
        effects
    }

    /// Publications are gone, and the stream goes on behind them.
    pub fn handle_gap(&mut self, gap: Gap) -> Effects {
        let mut effects = Effects::default();
        let Some(following) = self.live(&gap.channel) else { return effects };
        let before = following.start;
        following.start = Start::After(gap.resume);
        let channel = gap.channel.clone();
        effects.tell(&channel, SubscriptionEvent::Gap(gap), before);
        effects
    }

    /// Something that moves no place: a join, a leave, a lag.
    pub fn handle_notice(&mut self, channel: &ChannelName, event: SubscriptionEvent) -> Effects {
        let mut effects = Effects::default();
        if let Some(following) = self.live(channel) {
            let before = following.start;
            effects.tell(channel, event, before);
        }
        effects
    }

    fn live(&mut self, channel: &ChannelName) -> Option<&mut Following> {
        self.following.get_mut(channel).filter(|following| following.standing == Standing::Live)
    }

    /// The server did not let the client follow `channel`, in answer to command `id`.
    pub fn handle_refused(
        &mut self,
        now: Now,
        id: u32,
        channel: &ChannelName,
        refusal: &Refusal,
        pauses: &mut Pauses,
    ) -> Effects {
        let Some(following) = self.following.get_mut(channel) else { return Effects::default() };
        if following.standing != Standing::Asked(id) {
            return Effects::default();
        }
        if wants_token(refusal.code) && following.admitted && following.token.is_some() {
            return again_with_token(channel, following);
        }
        if refusal.code == Code::AlreadySubscribed {
            // It did not take the last `unsubscribe`, so its place is another than ours.
            following.entangled = true;
            following.standing = Standing::Resting(now.instant.after(pauses.small()));
            return Effects::default();
        }
        let refused = Refused::new(Some(channel.clone()), refusal);
        let last = SubscriptionEvent::Error(refused.into());
        self.handle_denied(now, channel, refusal, last, pauses)
    }

    /// The server ended a subscription by itself.
    pub fn handle_unsubscribed(
        &mut self,
        now: Now,
        channel: &ChannelName,
        refusal: &Refusal,
        pauses: &mut Pauses,
    ) -> Effects {
        if let Some(following) = self.following.get_mut(channel) {
            following.fresh = false;
            following.admitted = false;
        }
        let refused = Refused::new(Some(channel.clone()), refusal);
        self.handle_denied(now, channel, refusal, SubscriptionEvent::Unsubscribed(refused), pauses)
    }

    /// A channel is not followed any more: what can be done by itself is done, else it ends.
    fn handle_denied(
        &mut self,
        now: Now,
        channel: &ChannelName,
        refusal: &Refusal,
        last: SubscriptionEvent,
        pauses: &mut Pauses,
    ) -> Effects {
        let mut effects = Effects::default();
        let Some(following) = self.following.get_mut(channel) else { return effects };
        if wants_token(refusal.code) && following.renewable && !following.fresh {
            following.standing = Standing::Tokenless;
            effects.fetch(channel);
        } else if refusal.code.temporary() {
            let wait = refusal.after.unwrap_or_else(|| pauses.small());
            following.standing = Standing::Resting(now.instant.after(wait));
            let event = match last {
                SubscriptionEvent::Unsubscribed(refused) => {
                    SubscriptionEvent::Error(refused.into())
                }
                other => other,
            };
            effects.tell(channel, event, following.start);
        } else {
            self.following.remove(channel);
            effects.outputs.push(Output::Ended { channel: channel.clone(), last });
        }
        effects
    }

    /// The application gave a token for `channel`, or failed to.
    pub fn handle_token(
        &mut self,
        now: Now,
        channel: &ChannelName,
        token: Result<Box<str>, Error>,
        pauses: &mut Pauses,
    ) -> Effects {
        let mut effects = Effects::default();
        let Some(following) = self.following.get_mut(channel) else { return effects };
        if following.standing != Standing::Tokenless {
            return effects;
        }
        match token {
            Ok(token) => {
                following.token = Some(token);
                following.fresh = true;
                following.admitted = false;
                following.standing = Standing::Wanted;
                effects.ask.push(channel.clone());
            }
            Err(error) => {
                following.standing = Standing::Resting(now.instant.after(pauses.small()));
                effects.tell(channel, SubscriptionEvent::Error(error), following.start);
            }
        }
        effects
    }

    /// Channels whose rest is over are asked for again.
    pub fn handle_timeout(&mut self, now: Now) -> Effects {
        let mut effects = Effects::default();
        for (channel, following) in &mut self.following {
            if following.poll_timeout().is_none_or(|until| until > now.instant) {
                continue;
            }
            if std::mem::take(&mut following.entangled) {
                effects.leave.push(channel.clone());
            }
            if following.renewable && following.token.is_none() {
                following.standing = Standing::Tokenless;
                effects.fetch(channel);
            } else {
                following.standing = Standing::Wanted;
                effects.ask.push(channel.clone());
            }
        }
        effects
    }

    /// When the first channel's rest is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.following.values().filter_map(Following::poll_timeout).min()
    }

    /// The position in each channel that has one.
    pub fn positions(&self) -> Vec<(ChannelName, Position)> {
        let place = |following: &Following| match following.start {
            Start::After(position) => Some(position),
            Start::Now | Start::Since(_) => None,
        };
        self.following.iter().filter_map(|(c, f)| Some((c.clone(), place(f)?))).collect()
    }
}

/// Whether another token may help against `code`.
fn wants_token(code: Code) -> bool {
    use Code::{SubscribeDenied, TokenEarly, TokenExpired, TokenInvalid, TokenMissing};
    matches!(code, TokenMissing | TokenInvalid | TokenExpired | TokenEarly | SubscribeDenied)
}

/// The grant turned out not to cover the channel: the token is shown this time.
fn again_with_token(channel: &ChannelName, following: &mut Following) -> Effects {
    following.admitted = false;
    following.standing = Standing::Wanted;
    Effects { ask: vec![channel.clone()], ..Effects::default() }
}
