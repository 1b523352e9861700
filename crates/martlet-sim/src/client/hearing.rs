//! What a client makes of what it is told.

use martlet_core::model::{Appended, Code, Publication, Refusal};
use martlet_core::session::{Answer, Connected, Event, HistoryPage};

use super::*;
use crate::record::{Record, hold};
use crate::wire::take_frame;

/// The number that nonsense carries.
const NONSENSE: u32 = u32::MAX;

impl Client {
    /// Bytes came from the server.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8], record: &Record) -> Checked {
        self.heard_at = now;
        self.arrived.extend_from_slice(bytes);
        while let Some(frame) = take_frame(&mut self.arrived) {
            let mut answers = Vec::new();
            let sink = |answer| answers.push(answer);
            let read = match self.proto {
                true => proto::decode_answer(&frame, sink),
                false => json::decode_answer(&frame, sink),
            };
            read.map_err(|error| Violation(format!("a frame of the server: {error}")))?;
            hold(!answers.is_empty(), || "a frame of the server has nothing known in it".into())?;
            for answer in answers {
                self.handle_answer(answer, record)?;
            }
        }
        Ok(())
    }

    fn handle_answer(&mut self, answer: Answer, record: &Record) -> Checked {
        hold(self.advice.is_none(), || format!("{:?} after close", answer.event))?;
        self.answers += 1;
        let asked = self.take_asked(&answer)?;
        match answer.event {
            Event::Connected(connected) => return self.let_in(*connected),
            Event::Grant { grant, .. } => self.grant = Some(grant),
            Event::Ping => self.send(0, Command::Pong),
            Event::Closing(close) => self.advice = Some(close),
            Event::Refused { channel, refusal } => {
                if matches!(refusal.code, Code::GrantInvalid | Code::GrantExpired) {
                    self.start_afresh();
                }
                if let (Some(_), Some(channel)) = (asked, channel) {
                    self.handle_not_followed(&channel, &refusal);
                }
            }
            Event::Published { channel, appended } => {
                return check_receipt(&channel, &appended, record);
            }
            Event::History(page) => return check_history(&page, record),
            Event::Presence { .. } | Event::Pong { .. } | Event::Refreshed { .. } => {}
            event => return self.handle_followed(event, asked, record),
        }
        Ok(())
    }

    /// Something is told of a channel that it follows.
    fn handle_followed(&mut self, event: Event, asked: Option<Start>, record: &Record) -> Checked {
        match event {
            Event::Subscribed(subscribed) => {
                match asked {
                    Some(start) => self.wanted_in(&subscribed.channel)?.stage = Stage::Asked(start),
                    None => self.take_imposed(&subscribed.channel)?,
                }
                self.wanted_in(&subscribed.channel)?.handle_subscribed(&subscribed, record)
            }
            Event::Unsubscribed { channel, why } => {
                self.wanted_in(&channel)?.handle_unsubscribed()?;
                if why.is_none() {
                    self.wants.remove(&channel);
                }
                Ok(())
            }
            Event::Publication(publication) => {
                self.wanted_in(&publication.channel)?.handle_publication(&publication, record)
            }
            Event::Gap(gap) => self.wanted_in(&gap.channel)?.handle_gap(&gap, record),
            Event::Lagged { channel, offset, head } => {
                self.wanted_in(&channel)?.handle_lagged(offset, head)
            }
            Event::Join { channel, .. } | Event::Leave { channel, .. } => {
                self.wanted_in(&channel)?.handle_moved()
            }
            event => Err(Violation(format!("told out of place: {event:?}"))),
        }
    }

    /// A subscription was refused. What may yet succeed is asked for again; so is one that the
    /// backend ended before it began.
    fn handle_not_followed(&mut self, channel: &ChannelName, refusal: &Refusal) {
        let Some(follower) = self.wants.get_mut(channel) else { return };
        if let Stage::Asked(_) = follower.stage {
            follower.stage = Stage::Off;
            if !refusal.code.temporary() && refusal.code != Code::NotSubscribed {
                self.wants.remove(channel);
            }
        }
    }

    /// The backend makes the client follow a channel, from the present on.
    fn take_imposed(&mut self, channel: &ChannelName) -> Checked {
        hold(self.imposed.contains(channel), || format!("{channel}: followed unasked"))?;
        let follower = self.wants.entry(channel.clone());
        follower.or_insert_with(|| Follower::new(channel.clone())).stage = Stage::Asked(Start::Now);
        Ok(())
    }

    /// Every answer answers something that was asked, and nothing is answered twice. If it was to
    /// follow a channel, says from where.
    fn take_asked(&mut self, answer: &Answer) -> Result<Option<Start>, Violation> {
        let nonsense = answer.id == NONSENSE && matches!(answer.event, Event::Refused { .. });
        if answer.id == 0 || nonsense {
            return Ok(None);
        }
        let unasked = || Violation(format!("an answer to nothing: {answer:?}"));
        let asked = self.asked.get_mut(&answer.id).ok_or_else(unasked)?;
        let (refused, channel) = (refused_whole(&answer.event), channel_of(&answer.event));
        let start = match (asked, channel) {
            (Asked::Connect(_, left) | Asked::Subscribe(left), Some(channel)) => {
                let index = left.iter().position(|it| it.channel == *channel);
                Some(left.swap_remove(index.ok_or_else(unasked)?).start)
            }
            (Asked::Connect(outside, _), None) if refused.is_none() => {
                hold(std::mem::take(outside), || "connected twice".into())?;
                None
            }
            (Asked::Subscribe(_), None) if refused.is_none() => return Err(unasked()),
            _ => None,
        };
        let over = match &self.asked[&answer.id] {
            Asked::Connect(outside, left) => !outside && left.is_empty(),
            Asked::Subscribe(left) => left.is_empty(),
            _ => true,
        };
        if over || refused.is_some() {
            let asked = self.asked.remove(&answer.id);
            self.take_refused(asked, refused);
        }
        Ok(start)
    }

    /// A whole command was refused: all that it asked for is off.
    fn take_refused(&mut self, asked: Option<Asked>, refusal: Option<&Refusal>) {
        match (asked, refusal) {
            (Some(Asked::Subscribe(left)), Some(refusal)) => {
                left.iter().for_each(|it| self.handle_not_followed(&it.channel, refusal));
            }
            (Some(Asked::Unsubscribe(channel)), Some(_)) => {
                self.wants.get_mut(&channel).into_iter().for_each(|want| want.ending = false);
            }
            _ => {}
        }
    }

    fn let_in(&mut self, connected: Connected) -> Checked {
        hold(!self.connected, || "connected twice".into())?;
        let kept =
            self.session.is_none() || !connected.resumed || self.id == Some(connected.client);
        hold(kept, || format!("resumed as {} instead of {:?}", connected.client, self.id))?;
        let user = connected.user.as_ref().map(|user| user.as_str());
        hold(user == self.user.as_deref(), || {
            format!("connected as {user:?} instead of {:?}", self.user)
        })?;
        self.connected = true;
        self.backoff.reset();
        self.silence_max = connected.ping + connected.pong;
        (self.grant, self.session) = (Some(connected.grant), Some(connected.session));
        self.id = Some(connected.client);
        Ok(())
    }

    fn wanted_in(&mut self, channel: &ChannelName) -> Result<&mut Follower, Violation> {
        let unwanted = || Violation(format!("{channel}: told of a channel that is not followed"));
        self.wants.get_mut(channel).ok_or_else(unwanted)
    }
}

/// What is acknowledged, the store has.
fn check_receipt(channel: &ChannelName, appended: &Appended, record: &Record) -> Checked {
    let known = record.at(channel, appended.position);
    hold(known.is_some_and(|known| known.id == appended.id), || {
        format!("{channel}: acknowledged {appended:?}, the store has {known:?}")
    })
}

/// A page is a piece of the record, without holes.
fn check_history(page: &HistoryPage, record: &Record) -> Checked {
    let offset = |publication: &Publication| publication.position.offset;
    for pair in page.publications.windows(2) {
        hold(offset(&pair[0]).abs_diff(offset(&pair[1])) == 1, || {
            format!("a page of {} has a hole: {:?}", page.channel, pair)
        })?;
    }
    let rising = |w: &[std::sync::Arc<Publication>]| offset(&w[0]) < offset(&w[1]);
    let mut pairs = page.publications.windows(2);
    let turns = page.publications.windows(2).next().is_some_and(rising);
    hold(pairs.all(|pair| rising(pair) == turns), || format!("a page turns: {page:?}"))?;
    for publication in &page.publications {
        let known = record.at(&page.channel, publication.position);
        hold(known.is_some_and(|known| known.id == publication.id), || {
            format!("{}: a page has {publication:?}, the store {known:?}", page.channel)
        })?;
    }
    Ok(())
}

/// The channel of an answer to a subscription.
fn channel_of(event: &Event) -> Option<&ChannelName> {
    match event {
        Event::Subscribed(subscribed) => Some(&subscribed.channel),
        Event::Refused { channel, .. } => channel.as_ref(),
        _ => None,
    }
}

/// Why a whole command was refused, if it was.
fn refused_whole(event: &Event) -> Option<&Refusal> {
    match event {
        Event::Refused { channel: None, refusal } => Some(refusal),
        _ => None,
    }
}
